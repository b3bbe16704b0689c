package http1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// outcome is what a client gets of an answer.
type outcome struct {
	Status           string
	Header, Trailer  http.Header
	Length           int64
	Encoding         []string
	Close            bool
	Body, Err, Again string // the error's kind, for the head and for the body
}

// errorKind is what matters of an error.
func errorKind(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "wrong"
}

func ask(transport http.RoundTripper, r *http.Request) (o outcome) {
	res, err := transport.RoundTrip(r)
	if err != nil {
		return outcome{Err: "no answer"}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	_, again := res.Body.Read(make([]byte, 1))
	if again == io.EOF {
		again = nil
	}
	return outcome{
		res.Status, res.Header, res.Trailer, res.ContentLength, res.TransferEncoding, res.Close,
		string(body), errorKind(err), errorKind(again),
	}
}

// TestAnswersArriveAsThroughNetHTTP, whole and byte by byte; and the connection is used again when
// net/http does so.
func TestAnswersArriveAsThroughNetHTTP(t *testing.T) {
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct {
		answer string
		closes bool // the server closes the connection after it
		kept   bool // the connection serves the second request too
	}{
		"fixed":                   {answer("hello"), false, true},
		"empty":                   {answer(""), false, true},
		"fixed, and closes":       {ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", true, false},
		"long":                    {answer(text(100 << 10)), false, true},
		"chunked":                 {chunked + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", false, true},
		"chunks of nothing":       {chunked + "0\r\n\r\n", false, true},
		"chunks, extended":        {chunked + "5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\n\r\n", false, true},
		"chunks, capital size":    {chunked + "A\r\n0123456789\r\n0\r\n\r\n", false, true},
		"chunks, spaced size":     {chunked + "5 \t\r\nhello\r\n0\r\n\r\n", false, true},
		"long chunk":              {chunked + "19000\r\n" + text(0x19000) + "\r\n0\r\n\r\n", false, true},
		"trailer announced":       {ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n", false, true},
		"until the end":           {ok + "\r\nhello", true, false},
		"nothing until the end":   {ok + "\r\n", true, false},
		"long until the end":      {ok + "\r\n" + text(100<<10), true, false},
		"1.0":                     {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, false},
		"1.0 until the end":       {"HTTP/1.0 200 OK\r\n\r\nhello", true, false},
		"1.0 kept":                {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", false, true},
		"204":                     {"HTTP/1.1 204 No Content\r\n\r\n", false, true},
		"304":                     {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, true},
		"500":                     {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\noh no", false, true},
		"after 100":               {"HTTP/1.1 100 Continue\r\n\r\n" + answer("hello"), false, true},
		"after eight 103":         {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 8) + answer("hello"), false, true},
		"fixed, cut":              {ok + "Content-Length: 9\r\n\r\nhello", true, false},
		"fixed, nothing comes":    {ok + "Content-Length: 9\r\n\r\n", true, false},
		"chunk cut":               {chunked + "9\r\nhello", true, false},
		"between chunks cut":      {chunked + "5\r\nhello\r\n", true, false},
		"chunk's end cut":         {chunked + "5\r\nhello", true, false},
		"chunk's size cut":        {chunked + "5\r\nhello\r\n1", true, false},
		"no chunk":                {chunked, true, false},
		"bad chunk":               {chunked + "5\r\nhello\r\nzz\r\n", true, false},
		"chunk with a bare LF":    {chunked + "5\nhello\r\n0\r\n\r\n", true, false},
		"chunk too long":          {chunked + "5\r\nhello!\r\n0\r\n\r\n", true, false},
		"announced trailer cut":   {ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Su", true, false},
		"only extensions":         {chunked + strings.Repeat("1;"+strings.Repeat("x", 3000)+"\r\nh\r\n", 8) + "0\r\n\r\n", true, false},
		"an extension too long":   {chunked + "1;" + strings.Repeat("x", 5000) + "\r\nh\r\n0\r\n\r\n", true, false},
		"large head":              {ok + "A: " + strings.Repeat("x", 100<<10) + "\r\nContent-Length: 5\r\n\r\nhello", false, true},
		"no answer":               {"", true, false},
		"half a status":           {"HTTP/1.1 2", true, false},
		"half a head":             {ok + "Content-Length: 5\r\n", true, false},
		"another protocol":        {"SSH-2.0-OpenSSH_9.9\r\n", true, false},
		"two lengths":             {ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", true, false},
		"length and chunks":       {ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, true},
		"an encoding of its own":  {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true, false},
		"lines end with LF":       {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", false, true},
		"a line ends with LF":     {"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\nhello", false, true},
		"the head ends with LF":   {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello", false, true},
		"a banner, and silence":   {"220 mail.example.com ESMTP\r\n", false, false},
		"a banner without CR":     {"220 mail.example.com ESMTP\n", false, false},
		"a status without reason": {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", false, true},
	} {
		for _, piece := range []int{0, 1} {
			if piece > 0 && len(c.answer) > 4000 {
				continue
			}
			t.Run(fmt.Sprintf("%s, pieces of %d", name, piece), func(t *testing.T) {
				serve := func(_ int, conn *rawConn) {
					for {
						if _, ok := conn.request(); !ok {
							return
						}
						if piece == 0 {
							conn.write(c.answer)
						} else {
							for i := range len(c.answer) {
								conn.write(c.answer[i : i+1])
							}
						}
						if c.closes {
							return
						}
					}
				}
				ask2 := func(transport http.RoundTripper) (o outcome, kept bool) {
					server := newRawServer(t, serve)
					r := newRequest(t, server.url(), `{"a":1}`)
					o = ask(transport, r)
					again := ask(transport, newRequest(t, server.url(), `{"a":1}`))
					if diff := cmp.Diff(o, again); diff != "" {
						t.Errorf("the second time (-first +second):\n%s", diff)
					}
					return o, server.accepted() == 1
				}
				theirs := &http.Transport{DisableCompression: true}
				defer theirs.CloseIdleConnections()
				want, wantKept := ask2(theirs)
				got, kept := ask2(newTransport(t))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-net/http +ours):\n%.2000s", diff)
				}
				if kept != c.kept || wantKept != c.kept {
					t.Errorf("kept %v, and by net/http %v; want %v", kept, wantKept, c.kept)
				}
			})
		}
	}
}

// TestChunksAreReadableAsTheyCome: the server sends each only when the one before has been read.
func TestChunksAreReadableAsTheyCome(t *testing.T) {
	for name, end := range map[string]string{"fast": "", "left to net/http": "Pragma: x\r\n"} {
		t.Run(name, func(t *testing.T) {
			next := make(chan bool)
			server := newRawServer(t, func(_ int, c *rawConn) {
				c.request()
				c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + end + "\r\n")
				for n := 1; <-next; n++ {
					event := fmt.Sprintf("data: %d\n\n", n)
					c.write(fmt.Sprintf("%x\r\n%s\r\n", len(event), event))
				}
				c.write("0\r\n\r\n")
				c.awaitEnd()
			})
			transport := newTransport(t)
			res, err := transport.RoundTrip(newRequest(t, server.url(), `{"stream":true}`))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			buf := make([]byte, 4096)
			for n := 1; n <= 50; n++ {
				next <- true
				k, err := res.Body.Read(buf)
				if want := fmt.Sprintf("data: %d\n\n", n); string(buf[:k]) != want || err != nil {
					t.Fatalf("%q, %v, want %q", buf[:k], err, want)
				}
			}
			next <- false
			if k, err := res.Body.Read(buf); k != 0 || err != io.EOF {
				t.Errorf("at the end %d, %v", k, err)
			}
			transport.CloseIdleConnections()
		})
	}
}

// TestTheAnswerIsThereBeforeItsBody, and each part of a body of a known length before the next.
func TestTheAnswerIsThereBeforeItsBody(t *testing.T) {
	next := make(chan struct{})
	server := newRawServer(t, func(_ int, c *rawConn) {
		c.request()
		c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
		for _, part := range []string{"a", "b", "cd"} {
			<-next
			c.write(part)
		}
		c.awaitEnd()
	})
	transport := newTransport(t)
	res, err := transport.RoundTrip(newRequest(t, server.url(), ""))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for _, want := range []string{"a", "b", "cd"} {
		next <- struct{}{}
		if n, err := res.Body.Read(buf); string(buf[:n]) != want || err != nil && err != io.EOF {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	if n, err := res.Body.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end %d, %v", n, err)
	}
	transport.CloseIdleConnections() // lets the server end
}

func TestABodyIsReadableInAnyPieces(t *testing.T) {
	body := text(10_000)
	for name, sent := range map[string]string{
		"fixed":   answer(body),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + body[:4096] + "\r\n1\r\n" + body[4096:4097] + "\r\n170f\r\n" + body[4097:] + "\r\n0\r\n\r\n",
	} {
		server := newRawServer(t, answering(sent))
		transport := newTransport(t)
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader,
			"small":  func(r io.Reader) io.Reader { return struct{ io.Reader }{r} },
			"sloppy": func(r io.Reader) io.Reader { return io.MultiReader(r) },
		} {
			res, err := transport.RoundTrip(newRequest(t, server.url(), ""))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := res.Body.Read(nil); n != 0 || err != nil {
				t.Errorf("%s: a read of nothing: %d, %v", name, n, err)
			}
			got, err := io.ReadAll(wrap(res.Body))
			if string(got) != body || err != nil {
				t.Errorf("%s, %s: %d bytes, %v", name, how, len(got), err)
			}
		}
		if n := server.accepted(); n != 1 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

func TestReadingAfterTheEnd(t *testing.T) {
	for name, sent := range map[string]string{
		"fixed":   answer("hello"),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"other":   "HTTP/1.1 200 OK\r\nPragma: x\r\nContent-Length: 5\r\n\r\nhello",
		"none":    answer(""),
	} {
		server := newRawServer(t, answering(sent))
		transport := newTransport(t)
		for range 2 {
			res, err := transport.RoundTrip(newRequest(t, server.url(), ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(res.Body); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			// From here on the connection is another exchange's.
			for range 2 {
				if n, err := res.Body.Read(make([]byte, 10)); n != 0 || err != io.EOF {
					t.Errorf("%s: after the end: %d, %v", name, n, err)
				}
				if err := res.Body.Close(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if n := server.accepted(); n != 1 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

func TestReadingAfterClose(t *testing.T) {
	for name, sent := range map[string]string{
		"fixed":         answer("hello"),
		"chunked":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"until the end": "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		server := newRawServer(t, answering(sent))
		res, err := newTransport(t).RoundTrip(newRequest(t, server.url(), ""))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.Body.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		res.Body.Close()
		if n, err := res.Body.Read(make([]byte, 10)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// TestAnErrorStays: who reads on gets the same again, as from net/http.
func TestAnErrorStays(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) {
		c.request()
		c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
	})
	res, err := newTransport(t).RoundTrip(newRequest(t, server.url(), ""))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	if _, err := res.Body.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

// TestCloseEndsARead that waits for the server in another goroutine.
func TestCloseEndsARead(t *testing.T) {
	for name, begin := range map[string]string{
		"fixed":         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		"chunked":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"until the end": "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		closed := make(chan struct{})
		server := newRawServer(t, func(_ int, c *rawConn) {
			c.request()
			c.write(begin)
			c.awaitEnd()
			close(closed)
		})
		res, err := newTransport(t).RoundTrip(newRequest(t, server.url(), ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			_, err := res.Body.Read(make([]byte, 5))
			read <- err
		}()
		res.Body.Close()
		if err := await(t, read, "the read's end"); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("%s: %v", name, err)
		}
		await(t, closed, "the connection's end")
	}
}

// TestCloseAtTheMomentOfTheEnd: either comes first, and the connection is put away once.
func TestCloseAtTheMomentOfTheEnd(t *testing.T) {
	server := newRawServer(t, answering(answer("hello")))
	transport := newTransport(t)
	for range 300 {
		res, err := transport.RoundTrip(newRequest(t, server.url(), ""))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(io.Discard, res.Body)
		}()
		res.Body.Close()
		<-done
		if got := get(t, transport, newRequest(t, server.url(), "")); got != "hello" {
			t.Fatalf("%q", got)
		}
	}
}

// TestAHeadWithoutEndIsAnError, and does not fill the memory.
func TestAHeadWithoutEndIsAnError(t *testing.T) {
	server := newRawServer(t, func(_ int, c *rawConn) {
		c.request()
		c.write("HTTP/1.1 200 OK\r\n")
		for field := "A: " + strings.Repeat("x", 8000) + "\r\n"; ; {
			if _, err := io.WriteString(c, field); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := newTransport(t).RoundTrip(newRequestIn(ctx, t, server.url(), ""))
	if err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("%v, %v", res, err)
	}
}

// TestAnotherProtocolIsAnError, as nobody has asked for one.
func TestAnotherProtocolIsAnError(t *testing.T) {
	server := newRawServer(t, answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"))
	if res, err := newTransport(t).RoundTrip(newRequest(t, server.url(), "")); err == nil {
		t.Errorf("%v", res.Status)
	}
}
