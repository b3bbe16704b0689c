package http1

import (
	"fmt"
	"io"
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
	n   int // bytes that have gone out
	err error
}

// send sends a request. A long one it only begins to send: how that ends comes by x.sending.
func (x *exchange) send(r *http.Request) sending {
	buf := buffers.Get().(*[]byte)
	head := appendHead((*buf)[:0], r)
	if r.Body != nil && int64(len(head))+r.ContentLength > inline {
		x.sending = make(chan sending, 1)
		go x.sendLong(r, buf, head)
		return sending{}
	}
	n, err := x.write(r, head)
	*buf = head[:0]
	buffers.Put(buf)
	x.sent(r, err)
	return sending{n, err}
}

// refusal is how long an answer may take after the request could not be sent to its end.
const refusal = time.Second

// sendLong sends a request while its answer is waited for.
func (x *exchange) sendLong(r *http.Request, buf *[]byte, head []byte) {
	n, err := x.write(r, head)
	*buf = head[:0]
	buffers.Put(buf)
	x.sent(r, err)
	if err != nil {
		// The answer may be there all the same: a server that refuses a long request does not read
		// it to its end.
		_ = x.c.SetReadDeadline(time.Now().Add(refusal))
	}
	x.sending <- sending{n, err}
}

// sent ends the sending of a request.
func (x *exchange) sent(r *http.Request, err error) {
	closeBody(r)
	if x.trace.WroteRequest != nil {
		x.trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
}

// write sends the head and the body: together as far as there is room in the head's memory. It
// returns how many bytes have gone out.
func (x *exchange) write(r *http.Request, head []byte) (int, error) {
	if r.Body == nil {
		return x.c.Write(head)
	}
	n, err := io.ReadFull(r.Body, head[len(head):min(cap(head), len(head)+int(r.ContentLength))])
	if err != nil {
		return 0, fmt.Errorf("http1: reading the request's body: %w", err)
	}
	sent, err := x.c.Write(head[:len(head)+n])
	if err != nil || int64(n) == r.ContentLength {
		return sent, err
	}
	rest, err := io.Copy(x.c.Conn, r.Body)
	if err == nil && int64(n)+rest != r.ContentLength {
		err = fmt.Errorf("http1: the request's body has %d bytes, and %d were announced", int64(n)+rest, r.ContentLength)
	}
	return sent + int(rest), err
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
	if _, ok := r.Header["User-Agent"]; !ok {
		b = append(b, "\r\nUser-Agent: Go-http-client/1.1"...) // as net/http does
	}
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // they follow from the request
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
