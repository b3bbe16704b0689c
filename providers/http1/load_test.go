package http1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cuzteam/porta/providers/http1"
)

// TestManyAtOnce: requests of all kinds, some of which are cancelled at any moment or closed early.
// Each gets the answer to its own question, and nothing is left behind.
func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	alive := make(map[net.Conn]bool)
	gone := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		q := r.URL.Query()
		switch q.Get("kind") {
		case "close":
			w.Header().Set("Connection", "close")
		case "stream":
			for i := 0; i+3 < len(body); i += len(body)/3 + 1 {
				_, _ = io.WriteString(w, q.Get("id")+" ")
				w.(http.Flusher).Flush()
			}
		}
		fmt.Fprintf(w, "%s %d %s", q.Get("id"), len(body), body)
	}))
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if alive[c] = true; state == http.StateClosed {
			delete(alive, c)
		}
		if len(alive) == 0 {
			select {
			case gone <- struct{}{}:
			default:
			}
		}
	}
	server.Start()
	defer server.Close()
	transport := newTransport(t)
	transport.MaxIdle = 5
	var wg sync.WaitGroup
	for worker := range 24 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for i := range 20 {
				one(t, transport, server.URL, fmt.Sprint(worker, "-", i), random)
			}
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
	for {
		mu.Lock()
		n := len(alive)
		mu.Unlock()
		if n == 0 {
			break
		}
		await(t, gone, "the end of all connections")
	}
	wantNoneRunning(t)
}

// one makes a request of some kind.
func one(t *testing.T, transport *http1.Transport, url, id string, random *rand.Rand) {
	kinds := []string{"plain", "stream", "close"}
	kind := kinds[random.IntN(len(kinds))]
	body := id + ": " + text([]int{10, 5000, 16 << 10, 100 << 10}[random.IntN(4)])
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	h := newHooks()
	r := newRequestIn(h.trace(ctx), t, url+"/?id="+id+"&kind="+kind, body)
	ends := random.IntN(4) == 0
	canceller := make(chan struct{})
	moment := random.IntN(200)
	go func() {
		defer close(canceller)
		if ends {
			for range moment {
				runtime.Gosched()
			}
			cancel(errGone)
		}
	}()
	res, err := transport.RoundTrip(r)
	defer func() { <-canceller }()
	if err != nil {
		if !ends || !errors.Is(err, errGone) {
			t.Errorf("%s: %v", id, err)
		}
		h.wantBalanced(t)
		return
	}
	defer res.Body.Close()
	if random.IntN(8) == 0 {
		_, _ = io.ReadFull(res.Body, make([]byte, random.IntN(100)))
		return
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		if !ends || !errors.Is(err, errGone) {
			t.Errorf("%s: %v", id, err)
		}
		return
	}
	if want := id + " " + strconv.Itoa(len(body)) + " " + body; !strings.HasSuffix(string(got), want) || !strings.HasPrefix(string(got), id+" ") {
		t.Errorf("%s: the answer is another one's: %.100q", id, got)
	}
	h.wantBalanced(t)
}

// TestNothingIsLeftOfLongRequests whose answers were early, cut, or not read.
func TestNothingIsLeftOfLongRequests(t *testing.T) {
	server := newRawServer(t, func(n int, c *rawConn) {
		const refused = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"
		switch n % 3 {
		case 0:
			c.write(refused[:20])
		case 1:
			c.write(refused)
			c.awaitEnd()
		}
	})
	transport := newTransport(t)
	for range 30 {
		if res, err := transport.RoundTrip(newRequest(t, server.url(), text(1<<20))); err == nil {
			res.Body.Close()
		}
	}
	wantNoneRunning(t)
}
