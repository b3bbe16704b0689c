package http1

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"
)

// inline is how much of a request is sent by the goroutine that asks, in bytes: so little fits into
// any socket's buffer, and the write does not wait for the server to read. What is longer is
// sent by a goroutine of its own, since the server may answer before it has read all.
const inline = 16 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, inline); return &b }}

// sending is how the sending of a request has ended.
type sending struct {
	n    int // bytes that have gone out
	err  error
	body bool // err is the request's body's, and says nothing about the connection
}

// send sends a request. A long one it only begins to send: how that ends comes by x.sending.
func (x *exchange) send(r *http.Request) sending {
	buf := buffers.Get().(*[]byte)
	head := appendHead((*buf)[:0], r)
	if r.Body != nil && r.ContentLength > int64(inline-len(head)) {
		x.sending = make(chan sending, 1)
		go x.sendLong(r, buf, head)
		return sending{}
	}
	s := x.write(r, head)
	*buf = head[:0]
	buffers.Put(buf)
	x.sent(r, s.err)
	return s
}

// refusal is how long an answer may take after the request could not be sent to its end.
const refusal = time.Second

// sendLong sends a request while its answer is waited for.
func (x *exchange) sendLong(r *http.Request, buf *[]byte, head []byte) {
	s := x.write(r, head)
	*buf = head[:0]
	buffers.Put(buf)
	x.sent(r, s.err)
	switch {
	case s.body:
		x.c.abort() // the server would wait for the rest
	case s.err != nil:
		// The answer may be there all the same: a server that refuses a long request does not read
		// it to its end.
		_ = x.c.SetReadDeadline(time.Now().Add(refusal))
	}
	x.sending <- s
}

// sent ends the sending of a request.
func (x *exchange) sent(r *http.Request, err error) {
	closeBody(r)
	if x.trace.WroteRequest != nil {
		x.trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
}

// write sends the head and the body: together as far as there is room in the head's memory.
func (x *exchange) write(r *http.Request, head []byte) sending {
	if r.Body == nil {
		n, err := x.c.Write(head)
		return sending{n: n, err: err}
	}
	room := min(int64(cap(head)-len(head)), r.ContentLength)
	if n, err := io.ReadFull(r.Body, head[len(head):len(head)+int(room)]); err != nil {
		return sending{err: bodyError(int64(n), r, err), body: true}
	}
	n, err := x.c.Write(head[:len(head)+int(room)])
	if err != nil || room == r.ContentLength {
		return sending{n: n, err: err}
	}
	rest := announced{c: x.c.Conn, left: r.ContentLength - room}
	copied, err := io.Copy(&rest, r.Body)
	s := sending{n: n + int(copied), err: rest.err}
	if rest.err == nil && (err != nil || rest.left > 0) {
		s.err, s.body = bodyError(room+copied, r, err), true
	}
	return s
}

// bodyError is the error for a body that ended, or broke with err, after n bytes.
func bodyError(n int64, r *http.Request, err error) error {
	switch err {
	case nil, io.EOF, io.ErrUnexpectedEOF:
		return fmt.Errorf("http1: the request's body has %d bytes, and %d were announced", n, r.ContentLength)
	case errLonger:
		return fmt.Errorf("http1: the request's body has more than the %d bytes that were announced", r.ContentLength)
	}
	return fmt.Errorf("http1: reading the request's body: %w", err)
}

var errLonger = errors.New("longer than announced")

// announced sends as much as was announced: the server would take more for the next request.
type announced struct {
	c    net.Conn
	left int64
	err  error // the connection's
}

// Write implements io.Writer.
func (a *announced) Write(p []byte) (n int, err error) {
	n, a.err = a.c.Write(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	if a.err == nil && n < len(p) {
		return n, errLonger
	}
	return n, a.err
}

// appendHead appends the head of a request that Takes accepts (RFC 9112, sections 3 and 5).
func appendHead(b []byte, r *http.Request) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	b = append(b, host...)
	if r.Body != nil || r.Method == http.MethodPost {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
	}
	agent := "Go-http-client/1.1" // as net/http has it, and like there an empty one is not sent
	if _, ok := r.Header["User-Agent"]; ok {
		agent = r.Header.Get("User-Agent")
	}
	if agent != "" {
		b = append(b, "\r\nUser-Agent: "...)
		b = append(b, agent...)
	}
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "User-Agent":
			continue // they follow from the request, or are there
		}
		for _, value := range values {
			b = append(b, "\r\n"...)
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
		}
	}
	return append(b, "\r\n\r\n"...)
}
