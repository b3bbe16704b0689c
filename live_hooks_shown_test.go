package porta_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// The recipes that show something, and a stand-in for the module of the one that needs another.

func tryHeader(t *testing.T, k *kitchen) {
	k.cook()
	for _, body := range []string{whole("gpt-4o"), streamed("gpt-4o")} {
		h := k.chat(body).header
		if h.Get("X-Served-By") != "openai, gpt-4o" || h.Get("X-Porta-Provider")+h.Get("X-Porta-Model")+h.Get("X-Porta-Attempts")+h.Get("Server") != "" {
			t.Errorf("header %v", h)
		}
	}
	if got := k.do("GET", "/v1/models", "").header.Get("X-Served-By"); got != "," {
		t.Errorf("the list of models is served by %q", got)
	}
}

func tryTokens(t *testing.T, k *kitchen) {
	k.cook()
	k.wants(200, "gpt-4o", "X-Request-Id", "r1")
	line := k.logLine("r1")
	if line["tokens_in"] != 1.0 || line["tokens_out"] != 2.0 || line["outcome"] != "ok" {
		t.Errorf("the log has %v", line)
	}
	if ms, ok := line["ttft_ms"].(float64); !ok || ms <= 0 {
		t.Errorf("ttft_ms is %v", line["ttft_ms"])
	}
	k.wants(404, "unknown", "X-Request-Id", "r2")
	if line = k.logLine("r2"); line["outcome"] != "unknown_model" || line["ttft_ms"] != nil {
		t.Errorf("the log has %v", line)
	}
}

func tryLogFile(t *testing.T, k *kitchen) {
	path := filepath.Join(t.TempDir(), "access.json")
	k.cook("/var/log/porta/access.json", path)
	k.wants(200, "gpt-4o", "X-Api-Key", "sk-canary", "Api-Key", "sk-canary", "X-Goog-Api-Key", "sk-canary", "Authorization", "Bearer sk-canary")
	k.do("GET", "/v1/models?key=sk-canary&x="+url.QueryEscape("y z"), "")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var text []byte
	for bytes.Count(text, []byte{'\n'}) < 2 && k.ctx.Err() == nil {
		<-tick.C
		text, _ = os.ReadFile(path) // which is there after the first line
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var first struct {
		Porta map[string]any
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 2 || first.Porta["provider"] != "openai" {
		t.Fatalf("the file has %s: %v", text, err)
	}
	if log := testLog.String(); strings.Contains(log, "canary") || !strings.HasPrefix(log, "{") {
		t.Errorf("the default log: %s", log)
	}
	if strings.Contains(string(text), "canary") || !strings.Contains(lines[1], `"uri":"/v1/models"`) {
		t.Errorf("a key is in the file, or more than that is missing: %s", text)
	}
}

func tryMetrics(t *testing.T, k *kitchen) {
	k.cook()
	before := k.samples()
	k.wants(200, "gpt-4o")
	const name = `requests_total{model="gpt-4o",outcome="ok",provider="openai"}`
	if d := k.samples()[name] - before[name]; d != 1 {
		t.Errorf("%s went up by %v", name, d)
	}
	k.recook("private_ranges", "10.0.0.0/8")
	if a := k.do("GET", "/metrics", ""); strings.Contains(a.body, "caddy_") {
		t.Error("everybody may scrape")
	}
}

func tryTraces(t *testing.T, k *kitchen) {
	c := newSpans(t)
	k.cook()
	k.toItsEnd(whole("gpt-4o"), "Traceparent", traceparent)
	found := c.all(k.server)
	if len(found["porta"]) != 1 || len(found["chat gpt-4o"]) != 1 {
		t.Fatalf("spans: %v", found)
	}
	if got := attributes(found["porta"][0]); got["gen_ai.request.model"] != "gpt-4o" || got["porta.outcome"] != "ok" {
		t.Errorf("attributes: %v", got)
	}
	if got := k.up.last(t).header.Get("Traceparent"); !strings.HasPrefix(got, "00-"+traceID) {
		t.Errorf("the provider was told %q", got)
	}
}

// limiter stands in for mholt/caddy-ratelimit, which is not among this module's dependencies: the
// same directive, as far as the recipe goes, the same place in the order, and the same way of
// finding a request's zones and keys. The recipe was tried with the real one as well.
type limiter struct {
	Zones []*zone `json:"zones"`
}

type zone struct {
	Match  []caddy.ModuleMap `json:"match,omitempty" caddy:"namespace=http.matchers"`
	Key    string            `json:"key"`
	Events int               `json:"events"`

	matchers caddyhttp.MatcherSets
	mu       sync.Mutex
	seen     map[string]int
}

func init() {
	caddy.RegisterModule(new(limiter))
	httpcaddyfile.RegisterHandlerDirective("rate_limit", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		l := new(limiter)
		return l, l.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("rate_limit", httpcaddyfile.Before, "basic_auth")
}

func (*limiter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.rate_limit", New: func() caddy.Module { return new(limiter) }}
}

func (l *limiter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for outer := d.Nesting(); d.NextBlock(outer); {
		if d.Val() != "zone" {
			continue // disable_metrics
		}
		d.NextArg() // the name
		z := new(zone)
		for inner := d.Nesting(); d.NextBlock(inner); {
			switch d.Val() {
			case "match":
				set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
				if err != nil {
					return err
				}
				z.Match = append(z.Match, set)
			case "key":
				z.Key = d.RemainingArgs()[0]
			case "events":
				if err := json.Unmarshal([]byte(d.RemainingArgs()[0]), &z.Events); err != nil {
					return err
				}
			}
		}
		l.Zones = append(l.Zones, z)
	}
	return nil
}

func (l *limiter) Provision(ctx caddy.Context) error {
	for _, z := range l.Zones {
		z.seen = make(map[string]int)
		sets, err := ctx.LoadModule(z, "Match")
		if err != nil {
			return err
		}
		if err := z.matchers.FromInterface(sets); err != nil {
			return err
		}
	}
	return nil
}

func (l *limiter) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	for _, z := range l.Zones {
		if ok, err := z.matchers.AnyMatchWithError(r); err != nil || !ok {
			continue
		}
		z.mu.Lock()
		key := repl.ReplaceAll(z.Key, "")
		z.seen[key]++
		over := z.seen[key] > z.Events
		z.mu.Unlock()
		if over {
			w.Header().Set("Retry-After", "1")
			return caddyhttp.Error(http.StatusTooManyRequests, nil)
		}
	}
	return next.ServeHTTP(w, r)
}
