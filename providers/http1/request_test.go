package http1_test

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/cuzteam/porta/providers/http1"
)

// received is a request as a server sees it.
type received struct {
	Method, URI, Path, RawPath, Query, Host, Proto string
	Header                                         http.Header
	Length                                         int64
	Encoding                                       []string
	Body                                           string
}

// recorder is a server that keeps what it gets.
func recorder(t *testing.T) (address string, got <-chan received) {
	t.Helper()
	c := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c <- received{
			r.Method, r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.Proto,
			r.Header, r.ContentLength, r.TransferEncoding, string(body),
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), c
}

func TestAServerGetsTheRequestThatNetHTTPSends(t *testing.T) {
	address, got := recorder(t)
	ours := newTransport(t)
	theirs := &http.Transport{DisableCompression: true}
	t.Cleanup(theirs.CloseIdleConnections)
	const inline = 16 << 10
	for name, c := range map[string]struct {
		url    string // without scheme and host
		method string
		host   string
		header http.Header
		body   string
		once   bool // the body is not one that net/http knows
	}{
		"bare":              {url: "/"},
		"no path":           {url: ""},
		"only a query":      {url: "?a=b"},
		"empty query":       {url: "/x?"},
		"query":             {url: "/v1/models?limit=3&after=%20a+b&x=%2F/?;'\"<>"},
		"escaped path":      {url: "/v1/a%2Fb/c%20d/%C3%BC/%25/x:y@z"},
		"path with odd":     {url: "/a;b,c=d!$&'()*~[]^{}|"},
		"two slashes":       {url: "//v1//x/../y"},
		"fragment":          {url: "/x#y"},
		"long path":         {url: "/" + strings.Repeat("x", 8000)},
		"other host":        {url: "/", host: "api.example.com"},
		"other host, port":  {url: "/", host: "api.example.com:8443"},
		"host with capital": {url: "/", host: "API.example.com"},
		"host of addresses": {url: "/", host: "[::1]:80"},
		"values":            {url: "/", header: http.Header{"X-A": {"1", "2", "1"}, "X-Empty": {""}, "X-None": {}, "X-Spaces": {"  a \t b\t "}, "X-Obs": {"\xfcber \u00fc"}}},
		"raw names":         {url: "/", header: http.Header{"x-lower": {"1"}, "X_Under": {"2"}}},
		"what follows":      {url: "/", header: http.Header{"Host": {"no"}, "Content-Length": {"99"}, "Transfer-Encoding": {"chunked"}, "Trailer": {"X"}, "Accept-Encoding": {"gzip"}}},
		"agent":             {url: "/", header: http.Header{"User-Agent": {"porta/1"}}},
		"agents":            {url: "/", header: http.Header{"User-Agent": {"porta/1", "other/2"}}},
		"empty agent":       {url: "/", header: http.Header{"User-Agent": {""}}},
		"no agent":          {url: "/", header: http.Header{"User-Agent": nil}},
		"large header":      {url: "/", header: http.Header{"X-Large": {strings.Repeat("y", 3*inline)}}},
		"post":              {url: "/", method: "POST"},
		"small body":        {url: "/", method: "POST", body: `{"a":1}`},
		"body of one":       {url: "/", method: "POST", body: "x", once: true},
		"get with a body":   {url: "/", method: "GET", body: `{"a":1}`},
		"long get":          {url: "/", method: "GET", body: text(3 * inline), once: true},
		"body, big header":  {url: "/", method: "POST", body: "small", header: http.Header{"X-Large": {strings.Repeat("y", 3*inline)}}},
		"below 16 KB":       {url: "/", method: "POST", body: text(inline - 300)},
		"16 KB":             {url: "/", method: "POST", body: text(inline)},
		"more than 16 KB":   {url: "/", method: "POST", body: text(inline + 1), once: true},
		"5 MB":              {url: "/", method: "POST", body: text(5 << 20)},
		"5 MB in pieces":    {url: "/", method: "POST", body: text(5 << 20), once: true},
	} {
		t.Run(name, func(t *testing.T) {
			send := func(transport http.RoundTripper) received {
				u, err := url.Parse("http://" + address + c.url)
				if err != nil {
					t.Fatal(err)
				}
				r := &http.Request{Method: c.method, URL: u, Host: c.host, Header: maps.Clone(c.header), ContentLength: int64(len(c.body))}
				if r.Method == "" {
					r.Method = "GET"
				}
				if r.Header == nil {
					r.Header = http.Header{}
				}
				switch {
				case c.once:
					r.Body = newBody(strings.NewReader(c.body))
				case c.body != "":
					r.Body = io.NopCloser(strings.NewReader(c.body))
				}
				if !http1.Takes(r) {
					t.Fatal("not taken")
				}
				get(t, transport, r)
				return await(t, got, "the request")
			}
			want := send(theirs)
			if diff := cmp.Diff(want, send(ours)); diff != "" {
				t.Errorf("(-net/http +ours):\n%.2000s", diff)
			}
		})
	}
}

// TestEveryLengthAroundTheBorderArrives: whether a request is sent at once or not depends on what
// its head leaves of 16 KB.
func TestEveryLengthAroundTheBorderArrives(t *testing.T) {
	address, got := recorder(t)
	transport := newTransport(t)
	const border = 16 << 10
	long := text(border + 10)
	for n := border - 200; n <= border+10; n++ {
		get(t, transport, newRequest(t, "http://"+address+"/", long[:n]))
		if r := await(t, got, "the request"); r.Body != long[:n] || r.Length != int64(n) {
			t.Fatalf("of %d bytes %d arrived, announced as %d", n, len(r.Body), r.Length)
		}
	}
}

// TestASmallRequestIsOneWrite: every write is a packet.
func TestASmallRequestIsOneWrite(t *testing.T) {
	server := newRawServer(t, answering(answer("ok")))
	for _, n := range []int{0, 1, 100, 15 << 10} {
		transport := newTransport(t)
		conns := watched(transport)
		r := newRequest(t, server.url(), text(n))
		if n > 0 {
			r.Body = io.NopCloser(iotest.HalfReader(r.Body)) // however it is read
		}
		get(t, transport, r)
		get(t, transport, newRequest(t, server.url(), text(n)))
		if c := conns(); len(c) != 1 || len(c[0].sizes) != 2 {
			t.Errorf("two requests of %d bytes over %d connections, the first with writes of %v", n, len(c), c[0].sizes)
		}
	}
}

// TestTakesLeavesTheRestToNetHTTP: each condition alone.
func TestTakesLeavesTheRestToNetHTTP(t *testing.T) {
	post := func() *http.Request {
		r, err := http.NewRequest("POST", "http://127.0.0.1:8000/v1/x?y=z", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	if !http1.Takes(post()) {
		t.Fatal("a plain POST is not taken")
	}
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.URL.Host = h } }
	named := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	query := func(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for name, change := range map[string]func(*http.Request){
		"no URL":              func(r *http.Request) { r.URL = nil },
		"https":               func(r *http.Request) { r.URL.Scheme = "https" },
		"no scheme":           func(r *http.Request) { r.URL.Scheme = "" },
		"HTTP":                func(r *http.Request) { r.URL.Scheme = "HTTP" },
		"opaque":              func(r *http.Request) { r.URL.Opaque = "//x/y" },
		"no method":           method(""),
		"HEAD":                method("HEAD"),
		"PUT":                 method("PUT"),
		"CONNECT":             method("CONNECT"),
		"post":                method("post"),
		"method with CRLF":    method("GET /\r\n\r\n"),
		"query with a space":  query("a b"),
		"query with CRLF":     query("a\r\nHost: evil"),
		"query with LF":       query("a\nb"),
		"query with nul":      query("a\x00"),
		"query with delete":   query("a\x7f"),
		"query not in ASCII":  query("\u00fc"),
		"no host":             host(""),
		"zone":                host("[fe80::1%25eth0]:80"),
		"zone in the name":    named("[fe80::1%eth0]"),
		"host not in ASCII":   host("b\u00fccher.example"),
		"name not in ASCII":   named("b\u00fccher.example"),
		"host with a space":   host("a b"),
		"host with CRLF":      host("a\r\nb"),
		"name with a space":   named("a b"),
		"name with CRLF":      named("a\r\nX: y"),
		"name with a slash":   named("a/b"), // net/http sends an empty Host
		"name with a quote":   named(`a"b`),
		"name with an at":     named("user@host"),
		"Connection":          set("Connection", "close"),
		"Connection, empty":   set("Connection"),
		"Upgrade":             set("Upgrade", "websocket"),
		"Expect":              set("Expect", "100-continue"),
		"Te":                  set("Te", "trailers"),
		"no name":             set("", "x"),
		"name of two words":   set("A b", "x"),
		"name with a colon":   set("A:", "x"),
		"field name CRLF":     set("A\r\nB", "x"),
		"field name ü":        set("\u00fc", "x"),
		"value with CRLF":     set("A", "x\r\nB: y"),
		"value with LF":       set("A", "x\ny"),
		"value with CR":       set("A", "x\ry"),
		"value with nul":      set("A", "x\x00"),
		"second value bad":    set("A", "x", "\r"),
		"length unknown":      func(r *http.Request) { r.ContentLength = -1 },
		"length of 0":         func(r *http.Request) { r.ContentLength = 0 },
		"length without body": func(r *http.Request) { r.Body = nil },
		"less than no length": func(r *http.Request) { r.Body, r.ContentLength = nil, -1 },
		"NoBody":              func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 },
		"NoBody, length":      func(r *http.Request) { r.Body = http.NoBody },
		"Close":               func(r *http.Request) { r.Close = true },
		"chunked":             func(r *http.Request) { r.TransferEncoding = []string{"chunked"} },
		"Trailer":             func(r *http.Request) { r.Trailer = http.Header{"X": nil} },
		"Cancel": func(r *http.Request) {
			//lint:ignore SA1019 http.Client still sets it
			r.Cancel = make(chan struct{})
		},
	} {
		r := post()
		change(r)
		if http1.Takes(r) {
			t.Errorf("%s: taken", name)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"GET":              func(r *http.Request) { r.Method, r.Body, r.ContentLength = "GET", nil, 0 },
		"POST of nothing":  func(r *http.Request) { r.Body, r.ContentLength = nil, 0 },
		"GET with a body":  method("GET"),
		"no Host":          named(""),
		"other Host":       named("virtual.example.com:81"),
		"no port":          host("127.0.0.1"),
		"IPv6":             host("[::1]:80"),
		"name with _":      host("my_server.local:8080"),
		"no query":         query(""),
		"odd query":        query("a=%20&b=+/?'\"<>[]{}|\\^`"),
		"value beyond":     set("A", "\u00fc\t \xff"),
		"no value":         set("A"),
		"TLS state":        func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
		"nobody's trailer": set("Trailer", "x"), // left out, as net/http does
	} {
		r := post()
		change(r)
		if !http1.Takes(r) {
			t.Errorf("%s: not taken", name)
		}
	}
}

// TestNoMoreIsSentThanAnnounced: the server would take the rest for another request.
func TestNoMoreIsSentThanAnnounced(t *testing.T) {
	for _, n := range []int{10, 15 << 10, 40 << 10, 200 << 10} {
		for _, once := range []bool{true, false} {
			arrived := make(chan string, 1)
			server := newRawServer(t, func(_ int, c *rawConn) {
				r, err := http.ReadRequest(c.in)
				if err != nil {
					return
				}
				body, _ := io.ReadAll(r.Body)
				c.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
				rest, _ := io.ReadAll(c.in) // until the client closes
				arrived <- string(body) + string(rest)
			})
			transport := newTransport(t)
			r := newRequest(t, server.url(), text(n+1000))
			if once {
				r.Body = newBody(r.Body)
			}
			r.ContentLength = int64(n)
			// A small one is not read any further, and of a long one the answer may be faster.
			if _, err := transport.RoundTrip(r); err != nil && (n < 16<<10 || !strings.Contains(err.Error(), "more than the")) {
				t.Errorf("%d bytes: %v", n, err)
			}
			if got := await(t, arrived, "the end of the request"); got != text(n) {
				t.Errorf("%d announced, and %d arrived", n, len(got))
			}
		}
	}
}

// TestABodyThatFailsIsTheError and not what its connection does then; the request is not made
// again, as that would fail in the same way.
func TestABodyThatFailsIsTheError(t *testing.T) {
	broken := errors.New("the body is broken")
	for _, kept := range []bool{false, true} {
		for _, n := range []int{0, 10, 100 << 10} {
			for _, more := range []int{1, 100 << 10} {
				for _, end := range []error{broken, io.EOF} {
					server := newRawServer(t, func(_ int, c *rawConn) {
						for {
							if _, ok := c.request(); !ok {
								return
							}
							c.write(answer("ok"))
						}
					})
					transport := newTransport(t)
					if kept {
						get(t, transport, newRequest(t, server.url(), ""))
					}
					h := newHooks()
					r := newRequestIn(h.trace(t.Context()), t, server.url(), "x")
					body := newBody(io.MultiReader(strings.NewReader(text(n)), iotest.ErrReader(end)))
					r.Body, r.ContentLength = body, int64(n+more)
					r.GetBody = func() (io.ReadCloser, error) { t.Error("made again"); return nil, broken }
					res, err := transport.RoundTrip(r)
					if err == nil || end == broken && !errors.Is(err, broken) || end == io.EOF && !strings.Contains(err.Error(), "were announced") {
						t.Errorf("%d of %d bytes, then %v: %v, %v", n, n+more, end, res, err)
					}
					await(t, body.closed, "the body's close")
					h.wantBalanced(t)
				}
			}
		}
	}
}

// TestARequestIsNotChanged, and the answer names it, also if it was made twice.
func TestARequestIsNotChanged(t *testing.T) {
	server := newRawServer(t, func(n int, c *rawConn) {
		for i := 0; ; i++ {
			if _, ok := c.request(); !ok || n == 0 && i == 1 {
				return
			}
			c.write(answer("ok"))
		}
	})
	transport := newTransport(t)
	get(t, transport, newRequest(t, server.url(), ""))
	for _, again := range []bool{true, false} {
		r := newRequest(t, server.url()+"?q=%20", "body")
		r.Method = "GET"
		r.Header = http.Header{"A": {"1", "2"}, "User-Agent": {""}}
		body, was := r.Body, r.Clone(r.Context())
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.Request != r {
			t.Errorf("again %v: the answer is to another request", again)
		}
		if !cmp.Equal(r.Header, was.Header) || *r.URL != *was.URL || r.Body != body || r.ContentLength != was.ContentLength || r.Host != was.Host {
			t.Errorf("again %v: the request is now %+v", again, r)
		}
	}
	if n := server.accepted(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestTheBodyIsClosedWhateverHappens(t *testing.T) {
	sizes := []int{10, 100 << 10}
	for name, serve := range map[string]func(int, *rawConn){
		"answer":         answering(answer("ok")),
		"early answer":   func(_ int, c *rawConn) { c.write(answer("ok")); c.awaitEnd() },
		"no answer":      func(_ int, c *rawConn) { c.request() },
		"closes at once": func(int, *rawConn) {},
		"no HTTP":        answering("220 mail.example.com ESMTP\r\n"),
	} {
		for _, n := range sizes {
			server := newRawServer(t, serve)
			transport := newTransport(t)
			body := newBody(strings.NewReader(text(n)))
			r := newRequest(t, server.url(), text(n))
			r.Body = body
			if res, err := transport.RoundTrip(r); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			await(t, body.closed, "the close of the body: "+name)
		}
	}
	t.Run("no connection", func(t *testing.T) {
		server := newRawServer(t, nil)
		server.listener.Close()
		transport := newTransport(t)
		r := newRequest(t, server.url(), "x")
		body := newBody(r.Body)
		r.Body = body
		if _, err := transport.RoundTrip(r); err == nil {
			t.Error("there was one")
		}
		await(t, body.closed, "the body's close")
	})
}
