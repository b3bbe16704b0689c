package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cuzteam/porta/providers/http1"
)

// patience is how long a test waits for what has to come; it passes or fails by what happens, not
// by how fast.
const patience = 20 * time.Second

// newTransport returns a transport that has no connections at the test's end.
func newTransport(t *testing.T) *http1.Transport {
	t.Helper()
	transport := &http1.Transport{Dial: new(net.Dialer).DialContext, MaxIdle: 100, IdleTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// rawServer accepts connections and lets serve have each with its number, from 0. It waits for all of
// them at the test's end.
type rawServer struct {
	t        *testing.T
	listener net.Listener
	serve    func(n int, c *rawConn)
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newRawServer(t *testing.T, serve func(n int, c *rawConn)) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{t: t, listener: l, serve: serve}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *rawServer) accept() {
	for n := 0; ; n++ {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.wg.Go(func() {
			defer c.Close()
			s.serve(n, &rawConn{Conn: c, in: bufio.NewReader(c)})
		})
	}
}

// accepted returns how many connections there have been.
func (s *rawServer) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() + "/v1/x" }

// rawConn is a connection as its server sees it.
type rawConn struct {
	net.Conn
	in *bufio.Reader
}

// request reads a request with its body; false: the connection has ended.
func (c *rawConn) request() (string, bool) {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return "", false
	}
	body, err := io.ReadAll(r.Body)
	return string(body), err == nil
}

func (c *rawConn) write(text string) { _, _ = io.WriteString(c.Conn, text) }

// awaitEnd returns when the client has closed the connection.
func (c *rawConn) awaitEnd() { _, _ = io.Copy(io.Discard, c.in) }

// answer is one that keeps the connection.
func answer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// answering serves every request of every connection with the same bytes.
func answering(text string) func(int, *rawConn) {
	return func(_ int, c *rawConn) {
		for {
			if _, ok := c.request(); !ok {
				return
			}
			c.write(text)
		}
	}
}

// newRequest returns a request: a POST with that body, or a GET if it is empty.
func newRequest(t *testing.T, url, body string) *http.Request {
	t.Helper()
	return newRequestIn(t.Context(), t, url, body)
}

func newRequestIn(ctx context.Context, t *testing.T, url, body string) *http.Request {
	t.Helper()
	method, r := http.MethodGet, io.Reader(nil)
	if body != "" {
		method, r = http.MethodPost, strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	if !http1.Takes(req) {
		t.Fatalf("%s %s is not taken", method, url)
	}
	return req
}

// get makes a request and reads its answer to the end.
func get(t *testing.T, transport http.RoundTripper, r *http.Request) string {
	t.Helper()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("after %q: %v", body, err)
	}
	return string(body)
}

// trackedBody is the body of a request that says when it is read and closed.
type trackedBody struct {
	io.Reader
	once, first sync.Once
	closed      chan struct{}
	read        chan struct{}
}

func newBody(r io.Reader) *trackedBody {
	return &trackedBody{Reader: r, closed: make(chan struct{}), read: make(chan struct{})}
}

func (b *trackedBody) Read(p []byte) (int, error) {
	b.first.Do(func() { close(b.read) })
	return b.Reader.Read(p)
}

func (b *trackedBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// await waits for something that has to come.
func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// hooks records what a trace is told.
type hooks struct {
	mu     sync.Mutex
	events []string
	sent   chan error // of each WroteRequest
}

func newHooks() *hooks { return &hooks{sent: make(chan error, 100)} }

func (h *hooks) add(event string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

func (h *hooks) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { h.add("get") },
		GotConn: func(info httptrace.GotConnInfo) {
			if info.Conn == nil || info.Reused != info.WasIdle {
				h.add("bad info")
			}
			if info.Reused {
				h.add("kept")
				return
			}
			h.add("new")
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err != nil {
				h.add("not sent")
			} else {
				h.add("sent")
			}
			h.sent <- info.Err
		},
		GotFirstResponseByte: func() { h.add("answer") },
	})
}

// list returns the events up to now.
func (h *hooks) list() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.events, " ")
}

// wantBalanced waits until each connection that was got is followed by one end of sending, and
// checks that there are no more of these.
func (h *hooks) wantBalanced(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	got := 0
	for _, e := range h.events {
		if e == "new" || e == "kept" {
			got++
		}
	}
	h.mu.Unlock()
	for range got {
		await(t, h.sent, "WroteRequest")
	}
	if len(h.sent) > 0 {
		t.Errorf("more ends of sending than connections: %s", h.list())
	}
}

// wantNoneRunning waits until no goroutine runs the package's code.
func wantNoneRunning(t *testing.T) {
	t.Helper()
	var stacks []string
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if stacks = running(); len(stacks) == 0 {
			return
		}
	}
	t.Errorf("left running:\n%s", strings.Join(stacks, "\n\n"))
}

func running() []string {
	buf := make([]byte, 1<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool { return !strings.Contains(stack, "providers/http1.") })
}

// writes counts the writes to a connection; the zero value lets all of them through.
type writes struct {
	*net.TCPConn
	mu    sync.Mutex
	sizes []int
	fail  error // if set, nothing is written
	dead  bool  // and nothing can be read then
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.sizes = append(w.sizes, len(p))
	err, dead := w.fail, w.dead
	w.mu.Unlock()
	if err != nil {
		if dead {
			_ = w.CloseRead()
		}
		return 0, err
	}
	return w.TCPConn.Write(p)
}

func (w *writes) failWith(err error, dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail, w.dead = err, dead
}

// watched lets a transport dial connections whose writes are counted, and returns their list.
func watched(transport *http1.Transport) func() []*writes {
	var mu sync.Mutex
	var list []*writes
	transport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, &writes{TCPConn: c.(*net.TCPConn)})
		return list[len(list)-1], nil
	}
	return func() []*writes {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

// errGone is why the contexts of these tests end.
var errGone = errors.New("the client has gone")

// text returns so many bytes, in which a lost or doubled block shows.
func text(n int) string {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "%d ", i)
	}
	return strings.Repeat(b.String(), n/b.Len()+1)[:n]
}
