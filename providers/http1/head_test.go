package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// heads are what servers send, from the usual to the mad; the seeds of FuzzHead too.
var heads = map[string]string{
	"length":                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nDate: Mon, 23 Nov 2026 01:00:00 GMT\r\n\r\nhello",
	"chunked":                     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\n\r\n",
	"nothing in it":               "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"closes":                      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
	"closes, in other letters":    "HTTP/1.1 200 OK\r\nconnection: CLOSE\r\ncontent-length: 2\r\n\r\nhi",
	"closes, with a long s":       "HTTP/1.1 200 OK\r\nConnection: clo\u017fe\r\nContent-Length: 2\r\n\r\nhi",
	"closes and stays":            "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
	"stays and closes":            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
	"closes, in a list":           "HTTP/1.1 200 OK\r\nConnection: foo, close\r\nContent-Length: 2\r\n\r\nhi",
	"stays":                       "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi",
	"stays, in other letters":     "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
	"upgrade":                     "HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
	"empty Connection":            "HTTP/1.1 200 OK\r\nConnection:\r\nContent-Length: 2\r\n\r\nhi",
	"several values":              "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: y\r\nset-cookie: b=2\r\nSET-COOKIE:c=3\r\nContent-Length: 2\r\n\r\nhi",
	"spaces around values":        "HTTP/1.1 200 OK\r\nA: \t b c \t\r\nB:\r\nC: \r\nContent-Length: \t2 \r\n\r\nhi",
	"all kinds of names":          "HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~: 1\r\nx_y: 2\r\nX-lower-UPPER: 3\r\n1a: 4\r\nContent-Length: 2\r\n\r\nhi",
	"space in a name":             "HTTP/1.1 200 OK\r\nA b: 1\r\nContent-Length: 2\r\n\r\nhi",
	"space before the colon":      "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
	"no name":                     "HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 2\r\n\r\nhi",
	"no colon":                    "HTTP/1.1 200 OK\r\nA\r\nContent-Length: 2\r\n\r\nhi",
	"control character":           "HTTP/1.1 200 OK\r\nA: \x01\r\nContent-Length: 2\r\n\r\nhi",
	"delete character":            "HTTP/1.1 200 OK\r\nA: \x7f\r\nContent-Length: 2\r\n\r\nhi",
	"nul":                         "HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 2\r\n\r\nhi",
	"bare CR in a value":          "HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\nhi",
	"bare CR at the end":          "HTTP/1.1 200 OK\r\nA: b\r\r\nContent-Length: 2\r\n\r\nhi",
	"beyond ASCII":                "HTTP/1.1 200 Ökay\r\nA: \xff\xfe ü\r\nContent-Length: 2\r\n\r\nhi",
	"bare LF":                     "HTTP/1.1 200 OK\nA: b\nContent-Length: 5\n\nhello",
	"bare LF, then CRLF":          "HTTP/1.1 200 OK\nContent-Length: 9\n\nhel\r\n\r\nlo",
	"LF ends the head":            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\nhel\r\n\r\nlo",
	"CRLF, then LF":               "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nhi",
	"folded":                      "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nhi",
	"folded by a tab":             "HTTP/1.1 200 OK\r\nA: b\r\n\tc: d\r\nContent-Length: 2\r\n\r\nhi",
	"folded at once":              "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 2\r\n\r\nhi",
	"same lengths":                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
	"other lengths":               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
	"list of lengths":             "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
	"no length":                   "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi",
	"signed length":               "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
	"negative length":             "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
	"long length":                 "HTTP/1.1 200 OK\r\nContent-Length: 000000000000000000000000002\r\n\r\nhi",
	"length with a nought":        "HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nhi",
	"largest length":              "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhi",
	"too large a length":          "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nhi",
	"length and chunked":          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"chunked and length":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"chunked twice":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"chunked twice in a list":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"Chunked":                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"gzip, chunked":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"identity":                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
	"chunked, then identity":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"until the end":               "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello",
	"no fields":                   "HTTP/1.1 200 OK\r\n\r\nhello",
	"204":                         "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n",
	"204 with a length":           "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi",
	"304":                         "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	"304 chunked":                 "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
	"205":                         "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nhi",
	"error":                       "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
	"unknown status":              "HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\nhi",
	"1.0":                         "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"1.0 stays":                   "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
	"1.2":                         "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"2.0":                         "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"no version":                  "HTTP 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"small letters":               "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"no reason, a space":          "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
	"no reason":                   "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
	"two spaces":                  "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"spaces in the reason":        "HTTP/1.1 200  O \t K  \r\nContent-Length: 2\r\n\r\nhi",
	"short status":                "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi",
	"long status":                 "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi",
	"signed status":               "HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nhi",
	"status 099":                  "HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nhi",
	"informational":               "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"informational with a length": "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"continue":                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	"many informational":          strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"informational only":          "HTTP/1.1 100 Continue\r\n\r\n",
	"trailer announced":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, x-other\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
	"trailer announced, no chunk": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X-Sum\r\n\r\nhi",
	"bad trailer announced":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
	"trailer":                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
	"Pragma":                      "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nhi",
	"more behind it":              "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
	"more behind chunks":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nmore",
	"short body":                  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
	"chunk cut":                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	"chunk's size cut":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5",
	"no chunk":                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"no last chunk":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
	"chunk's end missing":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiXX0\r\n\r\n",
	"last line missing":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
	"last chunk's line cut":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r",
	"bad chunk size":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n",
	"huge chunk size":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi",
	"nothing":                     "",
	"cut in the status":           "HTTP/1.1 20",
	"cut in a field":              "HTTP/1.1 200 OK\r\nContent-Le",
	"cut before the end":          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
	"not HTTP":                    "SSH-2.0-OpenSSH_9.9\r\n",
	"empty line first":            "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"fills the buffer":            headOf(bufferSize) + "hi",
	"is longer than the buffer":   headOf(bufferSize+1) + "hi",
	"long":                        headOf(100<<10) + "hi",
	"too long":                    headOf(maxHead+1) + "hi",
	"many fields":                 "HTTP/1.1 200 OK\r\n" + strings.Repeat("A:b\r\n", 800) + "Content-Length: 2\r\n\r\nhi",
}

// headOf returns a head of so many bytes, of an answer with a body of two.
func headOf(n int) string {
	const begin, end = "HTTP/1.1 200 OK\r\nA: ", "\r\nContent-Length: 2\r\n\r\n"
	return begin + strings.Repeat("x", n-len(begin)-len(end)) + end
}

// unconnected is a connection to nowhere.
type unconnected struct{ net.Conn }

func (unconnected) Close() error { return nil }

// answered returns an exchange whose answer is what r gives.
func answered(r io.Reader) *exchange {
	c := &conn{Conn: readConn{unconnected{}, r}, t: &Transport{}} // keeps none
	c.in = bufio.NewReaderSize(limited{c}, bufferSize)
	c.bound(maxHead)
	return &exchange{c: c, ctx: context.Background(), trace: &httptrace.ClientTrace{}, stop: func() bool { return true }}
}

type readConn struct {
	net.Conn
	r io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// kind is what matters of an error: whether there is one, and whether it says that something was
// cut short.
func kind(err error) string {
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "wrong"
}

var request = &http.Request{Method: "GET"}

// wantAsNetHTTP checks that the answer in data is read like net/http reads it, both by parseHead if
// it accepts it and by readHead. It says whether parseHead did.
func wantAsNetHTTP(t *testing.T, data []byte, source func(io.Reader) io.Reader) bool {
	t.Helper()
	fast := answered(source(bytes.NewReader(data)))
	accepted := fast.parseHead()
	if !accepted {
		if rest, _ := io.ReadAll(fast.c.in); !bytes.Equal(rest, data) && len(data) <= maxHead {
			t.Fatalf("refused, but only %d of %d bytes are left", len(rest), len(data))
		}
		if !cmp.Equal(fast.res, http.Response{}, cmpopts.IgnoreUnexported(http.Response{})) || fast.res.Body != nil {
			t.Fatalf("refused, but there is an answer: %+v", fast.res)
		}
	}
	x := answered(source(bytes.NewReader(data)))
	err := x.readHead(request)

	// What net/http's Transport does, within the same bound.
	in := bufio.NewReader(bytes.NewReader(data[:min(len(data), maxHead)]))
	var want *http.Response
	var wantErr error
	for {
		if want, wantErr = http.ReadResponse(in, request); wantErr != nil || want.StatusCode/100 != 1 || want.StatusCode == 101 {
			break
		}
	}
	switch {
	case wantErr == nil && want.StatusCode == 101: // the one answer that is not for us
		if err == nil {
			t.Fatalf("the protocol was changed")
		}
		return accepted
	case (err == nil) != (wantErr == nil) || len(data) <= maxHead && kind(err) != kind(wantErr):
		t.Fatalf("error %v, net/http has %v", err, wantErr)
	case err != nil:
		if accepted {
			t.Fatalf("accepted, and net/http has %v", wantErr)
		}
		return false
	}
	x.c.bound(0)
	got := x.res
	if diff := cmp.Diff(*want, got, cmpopts.IgnoreUnexported(http.Response{}), cmpopts.IgnoreFields(http.Response{}, "Body", "Request")); diff != "" {
		t.Fatalf("accepted %v (-net/http +ours):\n%s", accepted, diff)
	}
	wantBody, wantErr := io.ReadAll(want.Body)
	wantRest, _ := io.ReadAll(in)
	if got.Body == nil {
		got.Body = x
	}
	body, err := io.ReadAll(got.Body)
	rest, _ := io.ReadAll(x.c.in)
	if len(data) > maxHead {
		return accepted // net/http's part stops there
	}
	if !bytes.Equal(body, wantBody) {
		t.Fatalf("accepted %v: the body is %q, and net/http's %q", accepted, body, wantBody)
	}
	// The fields behind the last chunk are not read, see endChunks: then the connection is not used
	// again, and whatever is wrong there does not matter.
	if accepted && x.chunks != nil && err == nil && !x.keep {
		if !bytes.HasSuffix(append(body, rest...), wantRest) {
			t.Fatalf("%q is left, and of net/http's %q", rest, wantRest)
		}
		return accepted
	}
	if kind(err) != kind(wantErr) {
		t.Fatalf("accepted %v: reading the body: %v, and net/http: %v", accepted, err, wantErr)
	}
	if err != nil {
		return accepted
	}
	if !bytes.Equal(rest, wantRest) {
		t.Fatalf("accepted %v: behind the body is %q, and for net/http %q", accepted, rest, wantRest)
	}
	if keep := !want.Close && want.StatusCode >= 200; x.keep != keep {
		t.Fatalf("accepted %v: the connection is kept: %v, and by net/http: %v", accepted, x.keep, keep)
	}
	return accepted
}

func whole1(r io.Reader) io.Reader { return r }

func TestHeadsAreReadAsNetHTTPReadsThem(t *testing.T) {
	for name, data := range heads {
		t.Run(name, func(t *testing.T) {
			at1 := wantAsNetHTTP(t, []byte(data), whole1)
			if len(data) > 10<<10 {
				return // what follows is slow
			}
			if byByte := wantAsNetHTTP(t, []byte(data), iotest.OneByteReader); byByte != at1 {
				t.Errorf("accepted at once: %v, and byte by byte: %v", at1, byByte)
			}
			wantAsNetHTTP(t, []byte(data), iotest.DataErrReader)
			for cut := range len(data) {
				if cut > 600 {
					break
				}
				wantAsNetHTTP(t, []byte(data[:cut]), whole1)
			}
		})
	}
}

// TestTheUsualHeadsAreReadFast: were all refused, the other tests would pass as well.
func TestTheUsualHeadsAreReadFast(t *testing.T) {
	for name, want := range map[string]bool{
		"length": true, "chunked": true, "nothing in it": true, "closes": true, "stays": true, "several values": true,
		"spaces around values": true, "error": true, "no reason, a space": true, "fills the buffer": true, "more behind it": true,
		"beyond ASCII": true, "stays, in other letters": true, "trailer": true,

		"length and chunked": false, "same lengths": false, "chunked twice": false, "gzip, chunked": false, "1.0": false, "204": false,
		"304": false, "until the end": false, "continue": false, "folded": false, "bare LF": false, "trailer announced": false,
		"is longer than the buffer": false, "closes and stays": false,
	} {
		if got := answered(strings.NewReader(heads[name])).parseHead(); got != want {
			t.Errorf("%s: accepted %v, want %v", name, got, want)
		}
	}
}

// TestFurtherValuesDoNotOverwriteOthers: the values of all fields lie in one slice.
func TestFurtherValuesDoNotOverwriteOthers(t *testing.T) {
	x := answered(strings.NewReader("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nA: 3\r\nContent-Length: 0\r\nA: 4\r\n\r\n"))
	if !x.parseHead() {
		t.Fatal("refused")
	}
	x.res.Header.Add("B", "5")
	want := http.Header{"A": {"1", "3", "4"}, "B": {"2", "5"}, "Content-Length": {"0"}}
	if diff := cmp.Diff(want, x.res.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

// TestAHeadIsBounded: a server that goes on for ever is stopped, in whichever part.
func TestAHeadIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ begin, more string }{
		"status":        {"HTTP/1.1 200 ", "x"},
		"field":         {"HTTP/1.1 200 OK\r\nA: ", "x"},
		"fields":        {"HTTP/1.1 200 OK\r\n", "A: b\r\n"},
		"folded":        {"HTTP/1.1 200 OK\r\nA: ", "b\r\n "},
		"informational": {"", "HTTP/1.1 100 Continue\r\n\r\n"},
		"empty lines":   {"", "\r\n"},
	} {
		read := 0
		x := answered(io.MultiReader(strings.NewReader(c.begin), &repeated{text: c.more, read: &read}))
		err := x.readHead(request)
		if err == nil || read > maxHead {
			t.Errorf("%s: error %v after %d bytes", name, err, read)
		}
	}
}

// repeated is a text without end.
type repeated struct {
	text string
	read *int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], r.text[*r.read%len(r.text):])
		n, *r.read = n+k, *r.read+k
	}
	return n, nil
}

// FuzzHead sends arbitrary bytes as an answer, in pieces of any size.
func FuzzHead(f *testing.F) {
	for _, data := range heads {
		if len(data) <= 10<<10 {
			f.Add([]byte(data), uint16(0))
			f.Add([]byte(data), uint16(7))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint16) {
		wantAsNetHTTP(t, data, func(r io.Reader) io.Reader {
			if piece == 0 {
				return r
			}
			return pieces{r, int(piece)}
		})
	})
}

// pieces gives at most n bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// FuzzFields puts its bytes where they matter most, which FuzzHead seldom finds.
func FuzzFields(f *testing.F) {
	for _, field := range []string{"Content-Length: 2", "content-length:2", "Connection: close", "X: y", "Transfer-Encoding: chunked", "Trailer: x", "Pragma: no-cache"} {
		f.Add("200 OK", field, "A: b")
		f.Add("200 ", "A: b", field)
	}
	f.Fuzz(func(t *testing.T, status, one, two string) {
		for _, end := range []string{"", "Content-Length: 12\r\n", "Transfer-Encoding: chunked\r\n"} {
			wantAsNetHTTP(t, fmt.Appendf(nil, "HTTP/1.1 %s\r\n%s\r\n%s\r\n%s\r\n2\r\nhi\r\n0\r\n\r\n+", status, one, two, end), whole1)
		}
	})
}
