package http1_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestACancelBeforeDiallingDialsNothing(t *testing.T) {
	for _, body := range []string{"", "body"} {
		transport := newTransport(t)
		transport.Dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled")
			return nil, io.EOF
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errGone)
		h := newHooks()
		r := newRequestIn(h.trace(ctx), t, "http://127.0.0.1/", body)
		tracked := newBody(strings.NewReader(body))
		if body != "" {
			r.Body = tracked
		}
		if _, err := transport.RoundTrip(r); err != errGone {
			t.Error(err)
		}
		if body != "" {
			await(t, tracked.closed, "the body's close")
		}
		h.wantBalanced(t)
	}
}

// TestACancelledRequestTakesNoKeptConnection: it would be closed for nothing.
func TestACancelledRequestTakesNoKeptConnection(t *testing.T) {
	server := newRawServer(t, answering(answer("ok")))
	transport := newTransport(t)
	get(t, transport, newRequest(t, server.url(), ""))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	if _, err := transport.RoundTrip(newRequestIn(ctx, t, server.url(), "")); err != errGone {
		t.Error(err)
	}
	get(t, transport, newRequest(t, server.url(), ""))
	if n := server.accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestACancelWhileDialling(t *testing.T) {
	transport := newTransport(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	transport.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel(errGone)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	h := newHooks()
	r := newRequestIn(h.trace(ctx), t, "http://127.0.0.1/", "body")
	body := newBody(r.Body)
	r.Body = body
	if _, err := transport.RoundTrip(r); err != errGone {
		t.Error(err)
	}
	await(t, body.closed, "the body's close")
	if got := h.list(); got != "get" {
		t.Errorf("hooks: %s", got)
	}
}

// TestACancelThatDiallingDoesNotSee: the connection is made, and nothing is asked over it.
func TestACancelThatDiallingDoesNotSee(t *testing.T) {
	ended := make(chan string, 1)
	server := newRawServer(t, func(_ int, c *rawConn) {
		b, _ := io.ReadAll(c.in)
		ended <- string(b)
	})
	transport := newTransport(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	transport.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		cancel(errGone)
		return c, err
	}
	h := newHooks()
	if _, err := transport.RoundTrip(newRequestIn(h.trace(ctx), t, server.url(), "body")); err != errGone {
		t.Error(err)
	}
	h.wantBalanced(t)
	await(t, ended, "the connection's end")
}

// TestACancelWhileSending a long body to a server that does not read.
func TestACancelWhileSending(t *testing.T) {
	ended := make(chan struct{})
	reading := make(chan struct{})
	server := newRawServer(t, func(_ int, c *rawConn) {
		<-reading
		c.awaitEnd()
		close(ended)
	})
	transport := newTransport(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	h := newHooks()
	r := newRequestIn(h.trace(ctx), t, server.url(), "x")
	body := newBody(endless{})
	r.Body, r.ContentLength = body, 1<<40
	go func() {
		<-body.read
		cancel(errGone)
	}()
	if _, err := transport.RoundTrip(r); err != errGone {
		t.Error(err)
	}
	await(t, body.closed, "the body's close")
	h.wantBalanced(t)
	if got := h.list(); got != "get new not sent" {
		t.Errorf("hooks: %s", got)
	}
	close(reading)
	await(t, ended, "the connection's end")
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestACancelWhileWaitingForTheAnswer(t *testing.T) {
	for name, begin := range map[string]string{"nothing": "", "half a status": "HTTP/1.1 2", "half a head": "HTTP/1.1 200 OK\r\nA: b\r\n", "after 100": "HTTP/1.1 100 Continue\r\n\r\n"} {
		for _, kept := range []bool{false, true} {
			for _, n := range []int{0, 10, 100 << 10} {
				asked, ended := make(chan struct{}), make(chan struct{})
				server := newRawServer(t, func(i int, c *rawConn) {
					if i > 0 {
						t.Errorf("%s: made again", name)
					}
					if kept {
						c.request()
						c.write(answer("ok"))
					}
					c.request()
					c.write(begin)
					close(asked)
					c.awaitEnd()
					close(ended)
				})
				transport := newTransport(t)
				if kept {
					get(t, transport, newRequest(t, server.url(), ""))
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					<-asked
					cancel(errGone)
				}()
				h := newHooks()
				if _, err := transport.RoundTrip(newRequestIn(h.trace(ctx), t, server.url(), text(n))); err != errGone {
					t.Errorf("%s, kept %v, %d bytes: %v", name, kept, n, err)
				}
				h.wantBalanced(t)
				await(t, ended, "the connection's end")
			}
		}
	}
}

func TestADeadlineIsTheCause(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) { c.awaitEnd() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := newTransport(t).RoundTrip(newRequestIn(ctx, t, server.url(), "body")); err != context.DeadlineExceeded {
		t.Error(err)
	}
}

func TestACancelWithinTheBody(t *testing.T) {
	for name, begin := range map[string]string{
		"fixed":            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		"chunked":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"within a chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
		"left to net/http": "HTTP/1.1 200 OK\r\nPragma: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"until the end":    "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			server := newRawServer(t, func(_ int, c *rawConn) {
				c.request()
				c.write(begin)
				c.awaitEnd()
				close(ended)
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			res, err := newTransport(t).RoundTrip(newRequestIn(ctx, t, server.url(), "body"))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.ReadFull(res.Body, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			go cancel(errGone) // before or while it is read
			for range 2 {
				if n, err := res.Body.Read(make([]byte, 5)); n != 0 || err != errGone {
					t.Errorf("%d, %v", n, err)
				}
			}
			await(t, ended, "the connection's end")
		})
	}
}

// TestACancelEndsTheConnectionOfAnAnswerNobodyReads.
func TestACancelEndsTheConnectionOfAnAnswerNobodyReads(t *testing.T) {
	ended := make(chan struct{})
	server := newRawServer(t, func(_ int, c *rawConn) {
		c.request()
		c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
		c.awaitEnd()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := newTransport(t).RoundTrip(newRequestIn(ctx, t, server.url(), ""))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, ended, "the connection's end")
	res.Body.Close()
}

// TestACancelAfterTheEndDoesNoHarm to the connection, which is another's by then.
func TestACancelAfterTheEndDoesNoHarm(t *testing.T) {
	for _, sent := range []string{answer("ok"), answer(""), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nPragma: x\r\nContent-Length: 2\r\n\r\nok"} {
		server := newRawServer(t, answering(sent))
		transport := newTransport(t)
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			get(t, transport, newRequestIn(ctx, t, server.url(), ""))
			res, err := transport.RoundTrip(newRequest(t, server.url(), ""))
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			finish(t, res)
		}
		if n := server.accepted(); n != 1 {
			t.Errorf("%d connections for %q", n, sent)
		}
	}
}

// TestHooks: which are called, in which order, once for each connection that was got.
func TestHooks(t *testing.T) {
	server := newRawServer(t, answering(answer("ok")))
	transport := newTransport(t)
	h := newHooks()
	get(t, transport, newRequestIn(h.trace(t.Context()), t, server.url(), "body"))
	get(t, transport, newRequestIn(h.trace(t.Context()), t, server.url(), "body"))
	get(t, transport, newRequestIn(h.trace(t.Context()), t, server.url(), ""))
	if got := h.list(); got != "get new sent answer get kept sent answer get kept sent answer" {
		t.Errorf("hooks: %s", got)
	}
	h = newHooks()
	get(t, transport, newRequestIn(h.trace(t.Context()), t, server.url(), text(1<<20)))
	if got := h.list(); got != "get kept sent answer" && got != "get kept answer sent" {
		t.Errorf("of a long request: %s", got)
	}
	server.listener.Close()
	transport.CloseIdleConnections()
	h = newHooks()
	if _, err := transport.RoundTrip(newRequestIn(h.trace(t.Context()), t, server.url(), "body")); err == nil {
		t.Error("connected")
	}
	if got := h.list(); got != "get" {
		t.Errorf("without a connection: %s", got)
	}
}
