package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer on a connection, and the body of the answer. The body is
// read by one goroutine; another one may close it meanwhile.
type exchange struct {
	res     http.Response
	c       *conn
	ctx     context.Context
	trace   *httptrace.ClientTrace
	stop    func() bool  // takes back what closes the connection when ctx ends
	sending chan sending // a long request is still being sent; nil: it has been
	keep    bool         // the connection can be used again after the answer's end

	// The body: one of these.
	left   int64     // how much of it is to come, in bytes
	chunks io.Reader // it comes in chunks
	other  io.Reader // it was left to net/http

	state atomic.Int32
	err   error // what it broke with
}

// The states of a body.
const (
	open   int32 = iota
	whole        // it has been read to its end
	closed       // it was closed before, or broke
)

// errStale marks errors after which the request can be sent again, for the server has not taken
// it: it had closed a kept connection.
var errStale = errors.New("http1: server closed idle connection")

// do sends a request and reads the head of its answer.
func (x *exchange) do(r *http.Request) error {
	if x.trace.GotConn != nil {
		x.trace.GotConn(httptrace.GotConnInfo{Conn: x.c.Conn, Reused: x.c.reused, WasIdle: x.c.reused})
	}
	x.stop = context.AfterFunc(x.ctx, x.c.abort)
	if s := x.send(r); s.err != nil {
		x.give(false)
		return x.stale(s.n == 0 && !s.body, s.err)
	}
	x.c.bound(maxHead)
	if _, err := x.c.in.Peek(1); err != nil {
		x.give(false)
		untouched := r.Method == http.MethodGet
		if s, ended := x.sendingEnds(); ended {
			switch {
			case s.body:
				return s.err
			case errors.Is(err, os.ErrDeadlineExceeded):
				err = s.err // which is why there was a deadline
			}
			untouched = s.n == 0
		}
		return x.stale(untouched, err)
	}
	if x.trace.GotFirstResponseByte != nil {
		x.trace.GotFirstResponseByte()
	}
	if err := x.readHead(r); err != nil {
		if x.c.room <= 0 {
			err = errHeadTooLong
		}
		x.give(false)
		return fmt.Errorf("http1: transport connection broken: %w", err)
	}
	x.c.bound(0)
	if x.res.Body == nil {
		x.res.Body = x
	} else {
		x.finish(whole) // there is none
	}
	return nil
}

// stale marks an error if nothing of the request can have been taken.
func (x *exchange) stale(untouched bool, err error) error {
	if x.c.reused && untouched {
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return err
}

// readHead reads the head of the answer into x.res. Its body stays nil if x is to be it. The 1xx
// answers before the one that counts are skipped: how many they may be follows from maxHead.
func (x *exchange) readHead(r *http.Request) error {
	if x.parseHead() {
		return nil
	}
	for {
		res, err := http.ReadResponse(x.c.in, r)
		if err != nil {
			return err
		}
		switch {
		case res.StatusCode == http.StatusSwitchingProtocols:
			return errors.New("the server changes the protocol unasked")
		case res.StatusCode/100 == 1:
			continue
		}
		x.res, x.keep = *res, !res.Close && res.StatusCode >= 200
		if x.other = res.Body; res.Body != http.NoBody {
			x.res.Body = nil
		}
		return nil
	}
}

// Read implements io.Reader.
func (x *exchange) Read(p []byte) (int, error) {
	switch x.state.Load() {
	case whole:
		return 0, io.EOF
	case closed:
		if x.err != nil {
			return 0, x.err
		}
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := x.read(p)
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		x.finish(whole)
		return n, io.EOF
	}
	x.err = cause(x.ctx, err)
	x.finish(closed)
	return n, x.err
}

func (x *exchange) read(p []byte) (n int, err error) {
	switch {
	case x.other != nil:
		return x.other.Read(p)
	case x.chunks != nil:
		n, err = x.chunks.Read(p)
		if err == io.EOF {
			x.endChunks()
		}
		return n, err
	}
	n, err = x.c.in.Read(p[:min(int64(len(p)), x.left)])
	x.left -= int64(n)
	switch {
	case x.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// endChunks reads what follows the last chunk. Fields there were not announced and are of no use.
func (x *exchange) endChunks() {
	if end, err := x.c.in.Peek(2); err != nil || string(end) != "\r\n" {
		x.keep = false
		return
	}
	_, _ = x.c.in.Discard(2) // they are there
}

// Close implements io.Closer. Before the end of the body it closes the connection.
func (x *exchange) Close() error {
	x.finish(closed)
	return nil
}

// finish ends the exchange, once.
func (x *exchange) finish(state int32) {
	if x.state.CompareAndSwap(open, state) {
		x.give(state == whole && x.keep && x.hasSent() && x.c.in.Buffered() == 0)
	}
}

// lastWrite is how long the end of a request may take to be sent after the end of its answer, or of
// the connection.
const lastWrite = 50 * time.Millisecond

// hasSent says that the request has been sent to its end.
func (x *exchange) hasSent() bool {
	if x.sending == nil {
		return true
	}
	s, ended := x.sendingEnds()
	return ended && s.err == nil
}

// sendingEnds returns how the sending of a long request has ended. It waits a little if it has not:
// for ever it may if the server does not read, or the request's body has nothing to give.
func (x *exchange) sendingEnds() (s sending, ended bool) {
	if x.sending == nil {
		return s, false
	}
	select {
	case s = <-x.sending:
		return s, true
	default:
	}
	timer := time.NewTimer(lastWrite)
	defer timer.Stop()
	select {
	case s = <-x.sending:
		return s, true
	case <-timer.C:
		return s, false
	}
}

// give gives the connection back, or closes it.
func (x *exchange) give(keep bool) {
	if stopped := x.stop(); !stopped || !keep {
		x.c.Close()
		return
	}
	x.c.reused = true
	x.c.t.idle.put(x.c)
}
