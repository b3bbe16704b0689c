package http1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// early is a server that answers before it has read the request's body. It reads that when rest says
// so, and never if it is nil.
func early(sent string, rest <-chan struct{}) func(int, *rawConn) {
	return func(_ int, c *rawConn) {
		for {
			r, err := http.ReadRequest(c.in)
			if err != nil {
				return
			}
			c.write(sent)
			if rest == nil {
				return
			}
			<-rest
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
		}
	}
}

// TestAnEarlyAnswerArrives, while the request is still being sent.
func TestAnEarlyAnswerArrives(t *testing.T) {
	for name, sent := range map[string]string{
		"413":     "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large",
		"200":     answer("too large"),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ntoo large\r\n0\r\n\r\n",
		"slow":    "HTTP/1.1 200 OK\r\nPragma: x\r\nContent-Length: 9\r\n\r\ntoo large",
		"empty":   answer(""),
	} {
		for _, reads := range []bool{false, true} {
			server := newRawServer(t, func(n int, c *rawConn) {
				r, err := http.ReadRequest(c.in)
				if err != nil {
					return
				}
				c.write(sent)
				if !reads { // and closes only when the client does
					<-t.Context().Done()
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				c.awaitEnd()
			})
			transport := newTransport(t)
			h := newHooks()
			r := newRequestIn(h.trace(t.Context()), t, server.url(), text(20<<20)) // more than sockets hold
			body := newBody(r.Body)
			r.Body = body
			if got, want := get(t, transport, r), map[bool]string{true: "too large"}[name != "empty"]; got != want {
				t.Errorf("%s: %q", name, got)
			}
			await(t, body.closed, "the body's close")
			h.wantBalanced(t)
			if n := server.accepted(); n != 1 {
				t.Errorf("%s: %d connections", name, n)
			}
			transport.CloseIdleConnections()
		}
	}
}

// TestAnUnsentRequestCostsItsConnection, although the answer was whole.
func TestAnUnsentRequestCostsItsConnection(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) {
		if _, err := http.ReadRequest(c.in); err == nil {
			c.write(answer("early"))
			<-t.Context().Done() // it reads no more
		}
	})
	transport := newTransport(t)
	for n := 1; n <= 2; n++ {
		if got := get(t, transport, newRequest(t, server.url(), text(20<<20))); got != "early" || server.accepted() != n {
			t.Errorf("%q over %d connections", got, server.accepted())
		}
	}
}

// TestAnEarlyAnswerAndAnEarlyEnd: the server closes with unread bytes, which resets the connection,
// and the answer may be lost; but nothing hangs.
func TestAnEarlyAnswerAndAnEarlyEnd(t *testing.T) {
	server := newRawServer(t, early("HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large", nil))
	transport := newTransport(t)
	for range 20 {
		h := newHooks()
		r := newRequestIn(h.trace(t.Context()), t, server.url(), text(5<<20))
		body := newBody(r.Body)
		r.Body = body
		res, err := transport.RoundTrip(r)
		if err == nil {
			if res.StatusCode != 413 {
				t.Errorf("status %d", res.StatusCode)
			}
			_, _ = io.ReadAll(res.Body)
			res.Body.Close()
		}
		await(t, body.closed, "the body's close")
		h.wantBalanced(t)
	}
	if n := server.accepted(); n != 20 {
		t.Errorf("%d connections", n)
	}
}

// TestTheAnswerOutlivesAFailedWrite: the write fails when the answer is there.
func TestTheAnswerOutlivesAFailedWrite(t *testing.T) {
	answered := make(chan struct{})
	server := newRawServer(t, func(_ int, c *rawConn) {
		c.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
		close(answered)
		c.awaitEnd()
	})
	transport := newTransport(t)
	transport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		<-answered
		w := &writes{TCPConn: c.(*net.TCPConn)}
		w.failWith(io.ErrClosedPipe, false)
		return w, nil
	}
	h := newHooks()
	if got := get(t, transport, newRequestIn(h.trace(t.Context()), t, server.url(), text(1<<20))); got != "too large" {
		t.Errorf("%q", got)
	}
	if err := await(t, h.sent, "the failure"); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// TestARefusedRequestDoesNotWaitForEver: its sending failed, and no answer comes.
func TestARefusedRequestDoesNotWaitForEver(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) { c.awaitEnd() })
	transport := newTransport(t)
	transport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w := &writes{TCPConn: c.(*net.TCPConn)}
		w.failWith(io.ErrClosedPipe, false)
		return w, nil
	}
	if res, err := transport.RoundTrip(newRequest(t, server.url(), text(1<<20))); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v, %v", res, err)
	}
}

// TestAnEarlyAnswerKeepsTheConnectionIfAllWasSent by its end. That the sending has ended is known a
// moment later, for which not every run is fast enough, but one of many is.
func TestAnEarlyAnswerKeepsTheConnectionIfAllWasSent(t *testing.T) {
	rest := make(chan struct{})
	server := newRawServer(t, early(answer("early"), rest))
	transport := newTransport(t)
	for n := 1; n <= 20; n++ {
		h := newHooks()
		res, err := transport.RoundTrip(newRequestIn(h.trace(t.Context()), t, server.url(), text(5<<20)))
		if err != nil {
			t.Fatal(err)
		}
		rest <- struct{}{}
		if err := await(t, h.sent, "the end of sending"); err != nil {
			t.Fatal(err)
		}
		finish(t, res)
		if server.accepted() < n {
			transport.CloseIdleConnections()
			return
		}
	}
	t.Error("no connection was kept")
}

// newLateRequest returns a request whose body has nothing to give after its beginning until more is
// closed.
func newLateRequest(t *testing.T, h *hooks, server *rawServer) (r *http.Request, more io.Closer) {
	t.Helper()
	begin, end := io.Pipe()
	r = newRequestIn(h.trace(t.Context()), t, server.url(), "x")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(text(32<<10)), begin)), 1<<20
	return r, end
}

// TestABodyThatComesLateIsNotWaitedFor: the answer has ended, and the request never does.
func TestABodyThatComesLateIsNotWaitedFor(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) {
		_, _ = http.ReadRequest(c.in)
		c.write(answer("early"))
		c.awaitEnd()
	})
	transport := newTransport(t)
	h := newHooks()
	r, more := newLateRequest(t, h, server)
	defer more.Close()
	if got := get(t, transport, r); got != "early" {
		t.Errorf("%q", got)
	}
	more.Close()
	h.wantBalanced(t)
}

// TestABodyThatComesLateIsNotWaitedForWhenTheServerLeaves: there is no answer, and the request never
// ends.
func TestABodyThatComesLateIsNotWaitedForWhenTheServerLeaves(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) {
		_, _ = http.ReadRequest(c.in)
	})
	transport := newTransport(t)
	h := newHooks()
	r, more := newLateRequest(t, h, server)
	defer more.Close()
	failed := make(chan error, 1)
	go func() {
		res, err := transport.RoundTrip(r)
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	if err := await(t, failed, "an error"); err == nil {
		t.Error("there was an answer")
	}
	more.Close()
	h.wantBalanced(t)
}
