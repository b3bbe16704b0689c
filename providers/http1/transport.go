// Package http1 is a client for servers that speak plain HTTP/1.1, such as a model server on the
// local network. It does what net/http's Transport does for them, with less: a request is written and
// its answer read by the goroutine that asks, where net/http has two more for each connection. What
// is not simple it leaves to net/http, see Takes.
package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Transport sends requests and keeps connections for the next ones. Its fields are set before use;
// it is safe for concurrent use. Like net/http's it has no timeouts of its own: the request's context
// says how long all may take.
type Transport struct {
	// Dial makes a connection.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// MaxIdle is how many idle connections to one address are kept.
	MaxIdle int
	// IdleTimeout is for how long they are; it must be more than 0.
	IdleTimeout time.Duration

	idle pool
}

// Takes says that a request is one for RoundTrip: http without a proxy, GET or POST, with a body
// whose length is known, and with nothing in its URL or header that is wrong or changes how HTTP/1.1
// goes on. All others need net/http, which has the errors for what is wrong.
func Takes(r *http.Request) bool {
	return canProbe && r.URL != nil && r.URL.Scheme == "http" && r.URL.Opaque == "" && isVisible(r.URL.RawQuery) &&
		isPlainHost(r.URL.Host) && (r.Host == "" || isPlainHost(r.Host)) &&
		(r.Method == http.MethodPost || r.Method == http.MethodGet) &&
		hasLength(r) && !r.Close && r.TransferEncoding == nil && r.Trailer == nil &&
		!hasCancel(r) && isPlainHeader(r.Header)
}

// hasCancel says that a request can be ended by more than its context.
func hasCancel(r *http.Request) bool {
	//lint:ignore SA1019 http.Client sets it for transports that it does not know
	return r.Cancel != nil
}

// hasLength says that a request has no body, or one with a length.
func hasLength(r *http.Request) bool {
	if r.Body == nil {
		return r.ContentLength == 0
	}
	return r.Body != http.NoBody && r.ContentLength > 0
}

// isPlainHeader says that a header can be sent as it is.
func isPlainHeader(h http.Header) bool {
	for name, values := range h {
		switch name {
		case "Connection", "Upgrade", "Expect", "Te":
			return false
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}

// isPlainHost leaves names that need encoding, addresses with a zone, and what cannot be a host, to
// net/http.
func isPlainHost(host string) bool {
	return host != "" && httpguts.ValidHostHeader(host) && !strings.Contains(host, "%")
}

// isVisible says that a text has visible ASCII characters only.
func isVisible(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// RoundTrip implements http.RoundTripper for requests that Takes accepts. A request is made again if
// a kept connection turns out to be closed before anything of it was sent. It follows the
// request with the hooks GetConn, GotConn, WroteRequest and GotFirstResponseByte of a
// httptrace.ClientTrace.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil {
		trace = &untraced
	}
	addr := address(r.URL.Host)
	for try := r; ; {
		if trace.GetConn != nil {
			trace.GetConn(addr)
		}
		c, err := t.connection(ctx, addr)
		if err != nil {
			closeBody(try)
			return nil, cause(ctx, err)
		}
		x := &exchange{c: c, ctx: ctx, trace: trace}
		err = x.do(try)
		if err == nil {
			x.res.Request = r
			return &x.res, nil
		}
		if !errors.Is(err, errStale) || ctx.Err() != nil {
			return nil, cause(ctx, err)
		}
		if try, err = anew(r, err); err != nil {
			return nil, err
		}
	}
}

var untraced httptrace.ClientTrace

// anew returns a request that can be sent after one that failed with err.
func anew(r *http.Request, err error) (*http.Request, error) {
	if r.Body == nil {
		return r, nil
	}
	if r.GetBody == nil {
		return nil, err
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	again := *r
	again.Body = body
	return &again, nil
}

// connection returns one that has been kept, or a new one.
func (t *Transport) connection(ctx context.Context, addr string) (*conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for c := t.idle.take(addr); c != nil; c = t.idle.take(addr) {
		if c.alive() {
			return c, nil
		}
		c.Close()
	}
	nc, err := t.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return newConn(t, addr, nc)
}

// CloseIdleConnections closes the connections that are idle now.
func (t *Transport) CloseIdleConnections() { t.idle.clear() }

// address returns where to dial: the host of a URL, with the port of its scheme if it has none.
func address(host string) string {
	for i := len(host) - 1; i >= 0 && host[i] != ']'; i-- {
		if host[i] == ':' && i < len(host)-1 {
			return host
		}
	}
	return strings.TrimSuffix(host, ":") + ":80"
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// cause returns why a context has ended; err if it has not.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
