package porta_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// kitchen runs one recipe of docs/recipes.md.
type kitchen struct {
	*server
	text string    // the recipe
	up   *upstream // what answers in OpenAI's place; its models are in ids
}

// recipes says how each recipe of the docs is tried.
var recipes = map[string]func(*testing.T, *kitchen){
	"Keys for callers":                         tryKeys,
	"People sign in with the company's SSO":    trySSO,
	"A password for a browser tool":            tryPassword,
	"A rate limit by key and model":            tryRateLimit,
	"Some models are not for use":              tryForbidden,
	"A cheap model for small prompts":          tryCheap,
	"Each team has its own account":            tryTeams,
	"A header says who answered":               tryHeader,
	"Tokens in the access log":                 tryTokens,
	"The access log as JSON in a file":         tryLogFile,
	"Metrics for Prometheus":                   tryMetrics,
	"Traces to a collector":                    tryTraces,
	"Clients with a certificate":               tryCertificates,
	"An error page of your own":                tryErrorPage,
	"Browser clients of another origin (CORS)": tryCORS,
	"Only from some addresses":                 tryAddresses,
	"A limit on the size of requests":          tryBodyLimit,
}

func TestTheRecipesInTheDocsDoWhatTheySay(t *testing.T) {
	text, err := os.ReadFile("docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		title, part, _ := strings.Cut(part, "\n")
		_, part, ok := strings.Cut(part, "```caddyfile recipe\n")
		recipe, _, closed := strings.Cut(part, "\n```\n")
		try := recipes[title]
		if !ok || !closed || try == nil {
			t.Errorf("%q is no recipe, or nobody tries it", title)
			continue
		}
		found++
		t.Run(title, func(t *testing.T) {
			for _, v := range regexp.MustCompile(`\{env\.(\w+)\}`).FindAllStringSubmatch(recipe, -1) {
				t.Setenv(v[1], "value-of-"+v[1])
			}
			k := &kitchen{server: newServer(t), text: recipe, up: newUpstream(t, good)}
			k.up.ids = []string{"gpt-4o", "gpt-4o-mini", "gpt-5", "o3-mini"}
			try(t, k)
		})
	}
	if found != len(recipes) {
		t.Errorf("%d recipes of %d are in the docs", found, len(recipes))
	}
}

// cook runs the recipe with these words of it replaced.
func (k *kitchen) cook(replace ...string) {
	k.t.Helper()
	options, site := k.global(), k.site(replace...)
	if own, rest, ok := strings.Cut(site, "\n}\n\n"); ok && strings.HasPrefix(own, "{\n") {
		// The recipe's global options; the one that is there more than once is the log.
		log := strings.TrimSuffix(strings.TrimPrefix(own, "{\n\tlog {\n"), "\t}")
		options, site = strings.Replace(options, "level DEBUG\n", "level DEBUG\n"+log, 1), rest
	}
	k.loadAll(options + site)
}

// recook is cook for a server that runs already.
func (k *kitchen) recook(replace ...string) {
	k.t.Helper()
	k.move()
	k.load(k.site(replace...))
}

// site returns the recipe as a site of the test's server, with the upstream in OpenAI's place.
func (k *kitchen) site(replace ...string) string {
	k.t.Helper()
	text := k.text
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			k.t.Fatalf("the recipe has no %q", replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	text = strings.ReplaceAll(text, "provider openai {\n", "provider openai {\nbase_url "+k.up.URL+"/v1\n")
	return strings.Replace(text, "api.example.com {\n", fmt.Sprintf("http://:%d {\nbind 127.0.0.1\n", k.port), 1)
}

// wants fails the test unless a chat completion has this status.
func (k *kitchen) wants(status int, model string, header ...string) answer {
	k.t.Helper()
	a := k.chat(whole(model), header...)
	if a.status != status {
		k.t.Errorf("%s with %v: status %d, want %d; %s", model, header, a.status, status, a.body)
	}
	return a
}

// key makes the header of a caller's key.
func key(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

func (k *kitchen) file(name, text string) string {
	k.t.Helper()
	path := filepath.Join(k.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

func tryKeys(t *testing.T, k *kitchen) {
	t.Setenv("CONTRACTOR_KEY_HASH", hashOf("sk-contractor"))
	k.cook("/etc/porta/keys.json", k.file("keys.json", `{"keys":[{"name":"bob","secret":"`+hashOf("sk-bob")+`","models":["gpt-*"],"expires":"2099-01-01T00:00:00Z"}]}`))
	k.wants(200, "gpt-4o", key("value-of-ALICE_KEY")...)
	k.wants(200, "o3-mini", key("value-of-ALICE_KEY")...)
	k.wants(200, "gpt-4o-mini", key("sk-contractor")...)
	k.wants(403, "gpt-4o", key("sk-contractor")...)
	k.wants(200, "gpt-4o", append(key("sk-bob"), "X-Request-Id", "r1")...)
	k.wants(403, "o3-mini", key("sk-bob")...)
	k.wants(401, "gpt-4o")
	if user := k.logLine("r1")["user_id"]; user != "bob" {
		t.Errorf("the log says it was %v", user)
	}
}

func trySSO(t *testing.T, k *kitchen) {
	sso := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("session"); err != nil || c.Value != "good" {
			http.Redirect(w, r, "https://sso.example.com/login", http.StatusFound)
			return
		}
		w.Header().Set("Remote-User", "erin")
	}))
	t.Cleanup(sso.Close)
	k.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	k.cook("sso.example.com:9091", strings.TrimPrefix(sso.URL, "http://"))
	if a := k.wants(302, "gpt-4o", "Remote-User", "mallory"); a.header.Get("Location") != "https://sso.example.com/login" {
		t.Errorf("sent to %q", a.header.Get("Location"))
	}
	k.wants(200, "gpt-4o", "Cookie", "session=good", "Remote-User", "mallory", "X-Request-Id", "r1")
	if h := k.up.last(t).header; h.Get("Cookie") != "" || h.Get("Remote-User") != "" {
		t.Errorf("the provider got %v", h)
	}
	if user := k.logLine("r1")["user"]; user != "erin" {
		t.Errorf("the log says it was %v", user)
	}
	a := k.chat(streamed("gpt-4o"), "Cookie", "session=good") // flushed through forward_auth
	if got := tell(t, a.body); got.Text != "hi" || !got.Done {
		t.Errorf("got %+v", got)
	}
}

func tryPassword(t *testing.T, k *kitchen) {
	t.Setenv("ALICE_PASSWORD_HASH", "$2a$04$MdNQ07TtDE6P.Hf2X45f/.bDXLZhbYFqPAbfM2j.jAoOT5SXZBYhy") // of "hiccup", at the lowest cost
	k.cook()
	k.wants(401, "gpt-4o")
	k.wants(401, "gpt-4o", "Authorization", "Basic YWxpY2U6d3Jvbmc=")
	k.wants(200, "gpt-4o", "Authorization", "Basic YWxpY2U6aGljY3Vw")
}

func tryRateLimit(t *testing.T, k *kitchen) {
	k.cook("events 60", "events 4")
	alice, bob := key("value-of-ALICE_KEY"), key("value-of-BOB_KEY")
	for range 3 {
		k.wants(200, "gpt-5", alice...)
	}
	k.wantError(k.wants(429, "gpt-5", alice...), 429, "rate_limit_exceeded") // the zone of expensive ones
	k.wants(429, "o3-mini", alice...)
	for range 4 {
		k.wants(200, "gpt-4o", alice...)
	}
	if a := k.wants(429, "gpt-4o", alice...); a.header.Get("Retry-After") == "" { // the zone of each model
		t.Errorf("no Retry-After in %v", a.header)
	}
	k.wants(200, "gpt-4o-mini", alice...)
	k.wants(200, "gpt-5", bob...)
	k.wants(401, "gpt-4o")
	k.wantStatus(k.do("GET", "/v1/models", "", alice...), 200, "")
}

func tryForbidden(t *testing.T, k *kitchen) {
	k.cook()
	k.wants(200, "gpt-4o")
	for _, model := range []string{"gpt-5", "gpt-5-mini", "openai/gpt-5"} {
		k.wantError(k.wants(403, model), 403, "model_not_allowed")
	}
}

func tryCheap(t *testing.T, k *kitchen) {
	k.cook()
	ask := func(what, body, want string) {
		t.Helper()
		k.wantStatus(k.chat(body), 200, "")
		if got := k.up.last(t).body; !strings.Contains(got, fmt.Sprintf(`"model":%q`, want)) {
			t.Errorf("%s: not %s: %.100s", what, want, got)
		}
	}
	ask("a small one", whole("auto"), "gpt-4o-mini")
	ask("a large one", strings.Replace(whole("auto"), "hi", strings.Repeat("hi ", 2000), 1), "gpt-4o")
	ask("one with a tool", strings.Replace(whole("auto"), "{", `{"tools":[{"type":"function","function":{"name":"f"}}],`, 1), "gpt-4o")
	ask("one with an image", strings.Replace(whole("auto"), `"hi"`, `[{"type":"image_url","image_url":{"url":"data:,"}}]`, 1), "gpt-4o")
	ask("another model", whole("gpt-5"), "gpt-5")
}

func tryTeams(t *testing.T, k *kitchen) {
	k.cook("/etc/porta/keys.json", k.file("keys.json", `{"keys":[{"name":"research-ann","secret":"sk-ann"},{"name":"sales-bob","secret":"sk-bob"}]}`))
	for secret, want := range map[string]string{"sk-ann": "Bearer value-of-RESEARCH_OPENAI_API_KEY", "sk-bob": "Bearer value-of-OPENAI_API_KEY"} {
		k.wants(200, "gpt-4o", key(secret)...)
		if got := k.up.last(t).header.Get("Authorization"); got != want {
			t.Errorf("%s is served with %s", secret, got)
		}
	}
}

func tryCertificates(t *testing.T, k *kitchen) {
	files, friend, stranger := certificate(t), certificate(t), certificate(t)
	k.cook("api.example.com {\n", fmt.Sprintf("https://localhost:%d {\nbind 127.0.0.1\n", k.port),
		"tls {\n", "tls "+files+" {\n", "/etc/porta/clients-ca.pem", strings.Fields(friend)[0])
	k.URL = fmt.Sprintf("https://localhost:%d", k.port)
	ask := func(pair string) (*http.Response, error) {
		config := &tls.Config{InsecureSkipVerify: true} // the server's certificate is not what this is about
		if f := strings.Fields(pair); len(f) == 2 {
			c, err := tls.LoadX509KeyPair(f[0], f[1])
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{c}
		}
		transport := &http.Transport{TLSClientConfig: config}
		t.Cleanup(transport.CloseIdleConnections)
		return (&http.Client{Transport: transport}).Post(k.URL+"/v1/chat/completions", "application/json", strings.NewReader(whole("gpt-4o")))
	}
	for what, pair := range map[string]string{"no certificate": "", "another's certificate": stranger} {
		if res, err := ask(pair); err == nil {
			res.Body.Close()
			t.Errorf("%s: status %d", what, res.StatusCode)
		}
	}
	res, err := ask(friend)
	if err != nil {
		t.Fatal(err)
	}
	a := k.read(res)
	k.wantStatus(a, 200, "")
	if who := k.logLine(a.header.Get("X-Request-Id"))["client"]; who != "CN=localhost" {
		t.Errorf("the log says it was %v", who)
	}
}

func tryErrorPage(t *testing.T, k *kitchen) {
	k.cook()
	a := k.wants(401, "gpt-4o")
	if k.wantError(a, 401, "invalid_api_key"); !strings.Contains(a.body, "portal.example.com") || a.header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("got %s, %v", a.body, a.header)
	}
	alice := key("value-of-ALICE_KEY")
	if a := k.do("GET", "/somewhere", "", alice...); a.status != 404 || a.body != "<h1>404 Not Found</h1>" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	k.wants(200, "gpt-4o", alice...)
	k.wantError(k.wants(404, "unknown", alice...), 404, "model_not_found")
}

func tryCORS(t *testing.T, k *kitchen) {
	k.cook()
	const origin = "https://chat.example.com"
	ask := []string{"Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization, x-stainless-os"}
	h := k.do("OPTIONS", "/v1/chat/completions", "", ask...)
	if h.status != 204 || h.header.Get("Access-Control-Allow-Origin") != origin || h.header.Get("Access-Control-Allow-Headers") != "authorization, x-stainless-os" {
		t.Errorf("got %d %v", h.status, h.header)
	}
	if a := k.wants(401, "gpt-4o", "Origin", origin); a.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the browser may not see the refusal: %v", a.header)
	}
	a := k.wants(200, "gpt-4o", append(key("value-of-ALICE_KEY"), "Origin", origin)...)
	if a.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "X-Request-Id") {
		t.Errorf("got %v", a.header)
	}
	other := k.do("OPTIONS", "/v1/chat/completions", "", "Origin", "https://evil.example.com", "Access-Control-Request-Method", "POST")
	if other.status == 204 || other.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin gets %d %v", other.status, other.header)
	}
	k.wants(401, "gpt-4o", "Access-Control-Request-Method", "POST")
	if n := k.up.count(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func tryAddresses(t *testing.T, k *kitchen) {
	k.cook()
	k.wantError(k.wants(403, "gpt-4o"), 403, "")
	k.wants(403, "gpt-4o", "X-Forwarded-For", "10.0.0.1")
	k.recook("10.0.0.0/8", "127.0.0.0/8")
	k.wants(200, "gpt-4o")
}

func tryBodyLimit(t *testing.T, k *kitchen) {
	k.cook()
	k.wants(200, "gpt-4o")
	long := strings.Replace(whole("gpt-4o"), "hi", strings.Repeat("h", 300<<10), 1)
	k.wantError(k.chat(long), 413, "request_too_large")
	req, err := http.NewRequestWithContext(k.ctx, "POST", k.URL+"/v1/chat/completions", io.MultiReader(strings.NewReader(long)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := k.client.Do(req) // of a length that is not announced
	if err != nil {
		t.Fatal(err)
	}
	k.wantError(k.read(res), 413, "request_too_large")
	if n := k.up.count(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}
