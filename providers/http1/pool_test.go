package http1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWhenAConnectionIsKept: the server counts the connections of two requests after each other.
func TestWhenAConnectionIsKept(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	readAll := func(res *http.Response) { _, _ = io.Copy(io.Discard, res.Body) }
	for name, c := range map[string]struct {
		answer string
		read   func(*http.Response)
		want   bool
	}{
		"read":                      {answer("hello"), readAll, true},
		"read, not closed":          {answer("hello"), func(res *http.Response) { readAll(res); res.Body = http.NoBody }, true},
		"read by its length":        {answer("hello"), func(res *http.Response) { _, _ = io.ReadFull(res.Body, make([]byte, 5)) }, true},
		"empty":                     {answer(""), func(*http.Response) {}, true},
		"204":                       {"HTTP/1.1 204 No Content\r\n\r\n", func(*http.Response) {}, true},
		"chunks read":               {chunked + "5\r\nhello\r\n0\r\n\r\n", readAll, true},
		"chunks but the last":       {chunked + "5\r\nhello\r\n", func(res *http.Response) { _, _ = io.ReadFull(res.Body, make([]byte, 5)) }, false},
		"not read":                  {answer("hello"), func(*http.Response) {}, false},
		"not read to its end":       {answer("hello"), func(res *http.Response) { _, _ = io.ReadFull(res.Body, make([]byte, 4)) }, false},
		"Connection: close":         {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", readAll, false},
		"close, nothing in it":      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", readAll, false},
		"close, chunks":             {"HTTP/1.1 200 OK\r\nconnection: Close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", readAll, false},
		"close in a list":           {"HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 5\r\n\r\nhello", readAll, false},
		"more behind the body":      {answer("hello") + "!", readAll, false},
		"another answer behind it":  {answer("hello") + answer("evil"), readAll, false},
		"more behind nothing":       {answer("") + "!", readAll, false},
		"more behind the chunks":    {chunked + "5\r\nhello\r\n0\r\n\r\n!", readAll, false},
		"1.0":                       {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", readAll, false},
		"status below 100":          {"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n", readAll, false},
		"a trailer nobody expected": {chunked + "5\r\nhello\r\n0\r\nX: y\r\n\r\n", readAll, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, answering(c.answer))
			transport := newTransport(t)
			for range 2 {
				res, err := transport.RoundTrip(newRequest(t, server.url(), "body"))
				if err != nil {
					t.Fatal(err)
				}
				c.read(res)
				res.Body.Close()
			}
			if kept := server.accepted() == 1; kept != c.want {
				t.Errorf("kept %v, want %v", kept, c.want)
			}
		})
	}
}

// TestWhatComesLateIsNotAnAnswer: a server that sends more after the body's end spoils the connection,
// and the next request must not get it as its answer.
func TestWhatComesLateIsNotAnAnswer(t *testing.T) {
	more, sent := make(chan struct{}), make(chan struct{})
	server := newRawServer(t, func(n int, c *rawConn) {
		c.request()
		c.write(answer(fmt.Sprint(n)))
		if n == 0 {
			<-more
			c.write(answer("evil"))
			close(sent)
		}
		c.awaitEnd()
	})
	transport := newTransport(t)
	get(t, transport, newRequest(t, server.url(), ""))
	close(more)
	<-sent // on this machine it is there then
	if got := get(t, transport, newRequest(t, server.url(), "")); got != "1" {
		t.Errorf("answer %q", got)
	}
	transport.CloseIdleConnections()
}

// TestAConnectionThatTheServerClosedIsNotUsed, for requests that could not be made again.
func TestAConnectionThatTheServerClosedIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 10)
	server := newRawServer(t, func(_ int, c *rawConn) {
		c.request()
		c.write(answer("ok"))
		c.Close()
		closed <- struct{}{}
	})
	transport := newTransport(t)
	for range 5 {
		h := newHooks()
		r := newRequestIn(h.trace(t.Context()), t, server.url(), "body")
		r.GetBody = nil
		get(t, transport, r)
		if got := h.list(); got != "get new sent answer" {
			t.Errorf("hooks: %s", got)
		}
		<-closed
	}
	if n := server.accepted(); n != 5 {
		t.Errorf("%d connections", n)
	}
}

// closesOnSecond answers the first request of its first connection, and ends that when the second
// has come: for the client that looks like a server that closed before it had seen it.
func closesOnSecond(n int, c *rawConn) {
	for i := 0; ; i++ {
		if _, ok := c.request(); !ok || n == 0 && i == 1 {
			return
		}
		c.write(answer(fmt.Sprint(n)))
	}
}

func TestAConnectionThatClosesUnderARequest(t *testing.T) {
	for name, c := range map[string]struct {
		method, body string
		noCopy       bool // of the body
		again        bool
	}{
		"GET":                   {"GET", "", false, true},
		"GET with a body":       {"GET", "body", false, true},
		"GET with a body, once": {"GET", "body", true, false},
		"POST":                  {"POST", "body", false, false},
		"POST of nothing":       {"POST", "", false, false},
		"long POST":             {"POST", text(100 << 10), false, false},
		"long GET":              {"GET", text(100 << 10), false, false}, // part of it was taken
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, closesOnSecond)
			transport := newTransport(t)
			get(t, transport, newRequest(t, server.url(), ""))
			h := newHooks()
			r := newRequestIn(h.trace(t.Context()), t, server.url(), c.body)
			r.Method = c.method
			if c.noCopy {
				r.GetBody = nil
			}
			res, err := transport.RoundTrip(r)
			h.wantBalanced(t)
			if c.again {
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(res.Body); string(body) != "1" {
					t.Errorf("answer %q", body)
				}
				if got := h.list(); got != "get kept sent get new sent answer" {
					t.Errorf("hooks: %s", got)
				}
				return
			}
			// What providers.FromTransport takes for a broken connection.
			if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !strings.Contains(err.Error(), "server closed idle connection") {
				t.Errorf("%v, %v", res, err)
			}
			if got := h.list(); got != "get kept sent" && got != "get kept not sent" {
				t.Errorf("hooks: %s", got)
			}
		})
	}
}

// TestARequestOfWhichNothingWasSentIsMadeAgain, whatever it is.
func TestARequestOfWhichNothingWasSentIsMadeAgain(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		noCopy bool
	}{
		"short": {"body", false}, "long": {text(100 << 10), false}, "of nothing": {"", false},
		"short, once": {"body", true}, "long, once": {text(100 << 10), true},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, func(n int, c *rawConn) {
				for {
					body, ok := c.request()
					if !ok {
						return
					}
					c.write(answer(body))
				}
			})
			transport := newTransport(t)
			conns := watched(transport)
			// Two are kept, and the first one tried must fail as well as the second.
			var open []*http.Response
			for range 2 {
				res, err := transport.RoundTrip(newRequest(t, server.url(), "x"))
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, res)
			}
			for _, res := range open {
				_, _ = io.Copy(io.Discard, res.Body)
			}
			for _, w := range conns() {
				w.failWith(&net.OpError{Op: "write", Err: syscall.EPIPE}, true)
			}
			h := newHooks()
			r := newRequestIn(h.trace(t.Context()), t, server.url(), c.body)
			r.Method = "POST"
			body := newBody(strings.NewReader(c.body))
			if c.noCopy {
				r.Body, r.GetBody = body, nil
			}
			res, err := transport.RoundTrip(r)
			h.wantBalanced(t)
			if c.noCopy {
				if err == nil || !strings.Contains(err.Error(), "server closed idle connection") || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.EOF) {
					t.Errorf("%v, %v", res, err)
				}
				await(t, body.closed, "the body's close")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(res.Body); string(got) != c.body {
				t.Errorf("answer of %d bytes, want %d", len(got), len(c.body))
			}
			if got := h.list(); strings.Count(got, "kept not sent") != 2 || strings.Count(got, " new") != 1 {
				t.Errorf("hooks: %s", got)
			}
		})
	}
}

// TestABodyThatCannotBeHadAgain: its error is the request's.
func TestABodyThatCannotBeHadAgain(t *testing.T) {
	server := newRawServer(t, closesOnSecond)
	transport := newTransport(t)
	get(t, transport, newRequest(t, server.url(), ""))
	r := newRequest(t, server.url(), "body")
	r.Method = "GET"
	r.GetBody = func() (io.ReadCloser, error) { return nil, errGone }
	if _, err := transport.RoundTrip(r); err != errGone {
		t.Error(err)
	}
}

// TestANewConnectionIsNotTriedTwice: a server that hangs up on everybody would be asked for ever.
func TestANewConnectionIsNotTriedTwice(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) { c.request() })
	res, err := newTransport(t).RoundTrip(newRequest(t, server.url(), ""))
	if err == nil || server.accepted() != 1 {
		t.Errorf("%v, %v after %d connections", res, err, server.accepted())
	}
}

// open makes n requests and leaves their answers unread.
func open(t *testing.T, transport http.RoundTripper, url string, n int) []*http.Response {
	t.Helper()
	var all []*http.Response
	for range n {
		res, err := transport.RoundTrip(newRequest(t, url, ""))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, res)
	}
	return all
}

func finish(t *testing.T, all ...*http.Response) {
	t.Helper()
	for _, res := range all {
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Error(err)
		}
	}
}

// counting serves requests and says when a connection ends.
func counting(t *testing.T) (server *rawServer, ended <-chan int) {
	t.Helper()
	c := make(chan int, 100)
	serve := answering(answer("hello"))
	return newRawServer(t, func(n int, conn *rawConn) {
		serve(n, conn)
		c <- n
	}), c
}

func TestNoMoreThanMaxIdleAreKept(t *testing.T) {
	server, ended := counting(t)
	transport := newTransport(t)
	transport.MaxIdle = 2
	finish(t, open(t, transport, server.url(), 5)...)
	for range 3 {
		if n := await(t, ended, "the end of those too many"); n < 2 {
			t.Errorf("connection %d was put away first, and is gone", n)
		}
	}
	finish(t, open(t, transport, server.url(), 2)...)
	if n := server.accepted(); n != 5 {
		t.Errorf("%d connections", n)
	}
}

// TestEachAddressHasItsOwnConnections, and its own MaxIdle.
func TestEachAddressHasItsOwnConnections(t *testing.T) {
	transport := newTransport(t)
	transport.MaxIdle = 1
	var servers []*rawServer
	for i := range 3 {
		servers = append(servers, newRawServer(t, answering(answer(fmt.Sprint(i)))))
	}
	for range 3 {
		for i, s := range servers {
			if got := get(t, transport, newRequest(t, s.url(), "")); got != fmt.Sprint(i) {
				t.Errorf("server %d: %q", i, got)
			}
		}
	}
	for i, s := range servers {
		if n := s.accepted(); n != 1 {
			t.Errorf("server %d: %d connections", i, n)
		}
	}
}

// TestIdleConnectionsGrowOld: the server sees their end, and those in use live on.
func TestIdleConnectionsGrowOld(t *testing.T) {
	server, ended := counting(t)
	transport := newTransport(t)
	transport.IdleTimeout = 10 * time.Millisecond
	all := open(t, transport, server.url(), 4)
	finish(t, all[:3]...)
	seen := map[int]bool{}
	for range 3 {
		seen[await(t, ended, "the end of an idle connection")] = true
	}
	if seen[3] {
		t.Error("the one in use has ended")
	}
	finish(t, all[3])
	await(t, ended, "the end of the last one")
	get(t, transport, newRequest(t, server.url(), "")) // it goes on after there was nothing
	await(t, ended, "the end of a later one")
}

func TestCloseIdleConnectionsLeavesThoseInUse(t *testing.T) {
	server, ended := counting(t)
	transport := newTransport(t)
	all := open(t, transport, server.url(), 2)
	finish(t, all[0])
	transport.CloseIdleConnections()
	if n := await(t, ended, "the idle one's end"); n != 0 {
		t.Errorf("connection %d has ended", n)
	}
	finish(t, all[1])
	// Nobody may ask this transport again, so that one is not kept either.
	if n := await(t, ended, "the other one's end"); n != 1 {
		t.Errorf("connection %d has ended", n)
	}
	// But if somebody does, all is as before.
	get(t, transport, newRequest(t, server.url(), ""))
	get(t, transport, newRequest(t, server.url(), ""))
	if n := server.accepted(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// TestWhereToDial: the port is the scheme's if there is none.
func TestWhereToDial(t *testing.T) {
	for host, want := range map[string]string{
		"example.com": "example.com:80", "example.com:8000": "example.com:8000", "example.com:": "example.com:80",
		"127.0.0.1": "127.0.0.1:80", "[::1]": "[::1]:80", "[::1]:8000": "[::1]:8000", "[::1]:": "[::1]:80",
	} {
		refused := errors.New("refused")
		var got string
		transport := newTransport(t)
		transport.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
			got = network + " " + addr
			return nil, refused
		}
		r := newRequest(t, "http://127.0.0.1/", "")
		r.URL.Host = host
		if _, err := transport.RoundTrip(r); !errors.Is(err, refused) {
			t.Errorf("%s: %v", host, err)
		}
		if got != "tcp "+want {
			t.Errorf("%s: dialled %q, want %q", host, got, want)
		}
	}
}

// TestAConnectionThatCannotBeProbedIsRefused, rather than used without.
func TestAConnectionThatCannotBeProbedIsRefused(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	transport := newTransport(t)
	transport.Dial = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	if _, err := transport.RoundTrip(newRequest(t, "http://127.0.0.1/", "")); err == nil {
		t.Error("no error")
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("it is not closed: %v", err)
	}
}
