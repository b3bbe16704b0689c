package providers

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/cuzteam/porta/providers/http1"
)

// Transport reaches model providers. It is net/http's, but for http without a proxy, which has a
// faster one.
type Transport struct {
	*http.Transport
	plain *http1.Transport
}

// NewTransport returns the transport to model providers: HTTP/1.1 and 2, no timeout on anything
// but dialling (how long an answer may take is the gateway's business), no compression (a
// compressed stream would arrive in bursts). A nil proxy means the environment's.
func NewTransport(dialTimeout time.Duration, proxy *url.URL) *Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   max(dialTimeout, 5*time.Second),
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   maxIdle,
		IdleConnTimeout:       idleTimeout,
		// Without pings a connection that died silently would hang all its streams.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return &Transport{t, &http1.Transport{Dial: dialer.DialContext, MaxIdle: maxIdle, IdleTimeout: idleTimeout}}
}

// Every stream holds a connection over HTTP/1.1; when a burst of them ends, the next one should
// find them. What is idle for a minute goes, before servers drop it.
const (
	maxIdle     = 4096 // to one host
	idleTimeout = time.Minute
)

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if http1.Takes(r) && t.isDirect(r) {
		return t.plain.RoundTrip(r)
	}
	return t.Transport.RoundTrip(r)
}

// isDirect says that there is no proxy on the way.
func (t *Transport) isDirect(r *http.Request) bool {
	if t.Proxy == nil {
		return true
	}
	proxy, err := t.Proxy(r)
	return proxy == nil && err == nil
}

// CloseIdleConnections closes the connections that are idle now.
func (t *Transport) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.Transport.CloseIdleConnections()
}

// ParseProxy reads the URL of a proxy; nil for an empty one, which is the environment's, and for
// none. The error does not repeat it, since it may hold a password.
func ParseProxy(proxy string) (*url.URL, error) {
	if proxy == "" || proxy == "none" {
		return nil, nil
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, errors.New("proxy: allowed: none, or http, https, socks5 or socks5h://[user:password@]host:port")
	}
	return u, nil
}

// maxVia bounds the transports that Via keeps.
const maxVia = 1000

// Via returns a function for Deps.Via: it makes one transport a proxy. It is safe for concurrent use.
func Via(dialTimeout time.Duration) func(proxy string) (http.RoundTripper, error) {
	var mu sync.Mutex
	made := make(map[string]*Transport)
	return func(proxy string) (http.RoundTripper, error) {
		mu.Lock()
		defer mu.Unlock()
		if t, ok := made[proxy]; ok {
			return t, nil
		}
		u, err := ParseProxy(proxy)
		if err != nil {
			return nil, err
		}
		t := NewTransport(dialTimeout, u)
		if proxy == "none" {
			t.Proxy = nil
		}
		if len(made) >= maxVia {
			clear(made) // their idle connections end by themselves
		}
		made[proxy] = t
		return t, nil
	}
}
