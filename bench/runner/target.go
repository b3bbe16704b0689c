package runner

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cuzteam/porta/bench/load"
)

// Target is a server that stands between the load and the mock, or the mock itself.
type Target struct {
	Name  string
	About string
	// TLS says that clients reach it by HTTPS.
	TLS bool
	// Loose, see load.Endpoint.
	Loose bool
	// Prefix is what clients put before the model's name.
	Prefix string
	// Peer marks servers of other projects that are measured only when they are asked for.
	Peer bool

	path    string // default: /v1/chat/completions
	header  string
	server  func(s *site) server // nil: the mock
	missing func(*Env) string    // why it cannot be run; nil: it can
}

// site is what a target's configuration is made of.
type site struct {
	env         *Env
	dir         string // of its own, for this one start
	addr, mock  string
	admin       string // where profiles can be had; empty: nowhere
	certs, keys string // files
	tls         bool
	models      []string
}

// server is a command, and the files that it reads from its folder.
type server struct {
	command []string
	files   map[string]string
	env     []string
}

// reference is the module of the handler that Porta is measured against.
const reference = "reverse_proxy"

// targets returns all targets, each but the mock with TLS too.
func targets() []Target {
	plain := []Target{
		{Name: "direct", About: "the mock itself, nothing between"},
		{Name: "nginx", About: "nginx, two workers, no buffering of answers", server: nginx, missing: withoutNginx},
		{Name: "caddy-noflush", About: "Caddy's reverse_proxy", server: caddy(proxy(""))},
		{Name: "caddy", About: "Caddy's reverse_proxy with flush_interval -1", server: caddy(proxy("flush_interval -1"))},
		{Name: "caddy-full", About: "caddy-noflush with access log and metrics", server: fullProxy},
		{Name: "porta", About: "Porta, one OpenAI-compatible provider", server: caddy(porta(openai("up")))},
		{Name: before, About: "the same with another binary, see -before", server: earlier, missing: withoutBefore},
		{Name: "porta-full", About: "the same with porta_auth, access log and metrics", server: full},
		{Name: "porta-rr", About: "round_robin over two providers", server: caddy(porta(openai("one"), openai("two"), "balancer round_robin"))},
		{Name: "porta-renamed", About: "the client's name of the model is not the provider's", server: caddy(porta(openai("up"))), Prefix: "up/"},
		{
			Name: "porta-anthropic", About: "Porta translating to and from Anthropic's API", Loose: true,
			server: caddy(porta(anthropic)), missing: withoutModule("porta.providers.anthropic"),
		},
		{
			Name: "litellm", About: "LiteLLM's proxy, one worker", Peer: true, Loose: true,
			server: litellm, missing: withoutPeer(litellmBinary),
		},
		{
			Name: "portkey", About: "Portkey's gateway", Peer: true, Loose: true,
			header: "x-portkey-provider: openai\r\nx-portkey-custom-host: http://{mock}/v1\r\n",
			server: portkey, missing: withoutPeer(portkeyScript),
		},
	}
	all := plain
	for _, t := range plain {
		if t.server != nil && !t.Peer {
			t.Name, t.About, t.TLS = t.Name+"-tls", t.About+", by HTTPS", true
			all = append(all, t)
		}
	}
	return all
}

// baseOf returns the baseline in a target's own terms: what is reached by HTTPS is compared with
// what is reached by HTTPS.
func (t *Target) baseOf(baseline string) string {
	if t.TLS {
		return baseline + "-tls"
	}
	return baseline
}

// endpoint returns where the load reaches the target.
func (t *Target) endpoint(s *site) *load.Endpoint {
	e := &load.Endpoint{Addr: s.addr, Path: t.path, Loose: t.Loose, Header: strings.ReplaceAll(t.header, "{mock}", s.mock)}
	if e.Path == "" {
		e.Path = "/v1/chat/completions"
	}
	if t.TLS {
		e.TLS = s.env.client
	}
	return e
}

// caddy makes a server of the binary under test from the directives of its one site.
func caddy(directives func(s *site) string) func(s *site) server {
	return func(s *site) server { return caddyServer(s, global{}, directives(s)) }
}

// global are global options beside those that all servers have.
type global struct{ options, log string }

func caddyServer(s *site, g global, directives string) server {
	scheme, certificate, admin := "http", "", "off"
	if s.tls {
		scheme, certificate = "https", fmt.Sprintf("tls %s %s\n", s.certs, s.keys)
	}
	if s.admin != "" {
		admin = s.admin
	}
	file := fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https off
	grace_period 1s
	log {
		level ERROR
		%s
	}
	%s
}
%s://%s {
	%s
	%s
}
`, admin, g.log, g.options, scheme, s.addr, certificate, directives)
	return server{
		command: []string{s.env.Porta, "run", "--config", "Caddyfile", "--adapter", "caddyfile"},
		files:   map[string]string{"Caddyfile": file},
	}
}

// proxy configures reverse_proxy with as many idle connections as there are streams.
func proxy(option string) func(s *site) string {
	return func(s *site) string {
		return fmt.Sprintf("%s %s {\n%s\ntransport http {\nkeepalive_idle_conns_per_host 6000\n}\n}", reference, s.mock, option)
	}
}

// before is the target that -before adds wherever Porta is measured.
const before = "porta-before"

func earlier(s *site) server {
	sv := caddyServer(s, global{}, porta(openai("up"))(s))
	sv.command[0] = s.env.Before
	return sv
}

func withoutBefore(e *Env) string {
	if e.Before == "" {
		return "no other binary was given"
	}
	return ""
}

// porta configures the gateway from blocks in which {mock} and {models} are filled in.
func porta(blocks ...string) func(s *site) string {
	return func(s *site) string {
		text := "porta {\n" + strings.Join(blocks, "\n") + "\n}"
		return strings.NewReplacer("{mock}", s.mock, "{models}", strings.Join(s.models, " ")).Replace(text)
	}
}

func openai(name string) string {
	return "provider openai " + name + " {\napi_key sk-mock-0123456789abcdef\nbase_url http://{mock}/v1\nmodels {models}\n}"
}

const anthropic = "provider anthropic up {\napi_key sk-mock-0123456789abcdef\nbase_url http://{mock}\nmodels {models}\n}"

func fullProxy(s *site) server {
	return caddyServer(s, global{options: "metrics"}, "log {\noutput file access.log\n}\n"+proxy("")(s))
}

const (
	authModule   = "http.handlers.porta_auth"
	formatModule = "caddy.logging.encoders.porta"
)

// full is Porta as one would run it for others: with keys of the clients, metrics, and the logs that
// docs/recipes.md has for files. An older build has Caddy's own logs alone.
func full(s *site) server {
	g, access, auth := global{options: "metrics"}, "output file access.log", ""
	if s.env.modules[formatModule] {
		g.log = "format porta"
		access = "output porta_async file access.log\nformat porta"
	}
	if s.env.modules[authModule] {
		auth = "porta_auth {\nkey bench " + load.Key + "\n}\n"
	}
	return caddyServer(s, g, "log {\n"+access+"\n}\n"+auth+porta(openai("up"))(s))
}

func withoutModule(id string) func(*Env) string {
	return func(e *Env) string {
		if e.modules[id] {
			return ""
		}
		return "the binary has no module " + id
	}
}

func withoutNginx(*Env) string {
	if _, err := exec.LookPath("nginx"); err != nil {
		return "nginx is not installed"
	}
	return ""
}

func nginx(s *site) server {
	tls := ""
	listen := s.addr + " backlog=4096"
	if s.tls {
		listen += " ssl"
		tls = fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", s.certs, s.keys)
	}
	return server{
		command: []string{"nginx", "-p", s.dir, "-c", "nginx.conf", "-e", "stderr"},
		files: map[string]string{"nginx.conf": fmt.Sprintf(`daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	client_max_body_size 32m;
	client_body_buffer_size 2m;
	keepalive_requests 1000000000;
	upstream mock { server %s; keepalive 6000; keepalive_requests 1000000000; }
	server {
		listen %s;
		%s
		location / {
			proxy_pass http://mock;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
			proxy_buffer_size 32k;
			proxy_buffers 4 32k;
		}
	}
}
`, s.mock, listen, tls)},
	}
}

// Peers are installed by bench/peers into this folder beside the bench's binary.
const (
	litellmBinary = "litellm/bin/litellm"
	portkeyScript = "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
)

func withoutPeer(file string) func(*Env) string {
	return func(e *Env) string {
		if exists(filepath.Join(e.Peers, file)) {
			return ""
		}
		return "it is not installed; see bench/peers"
	}
}

func litellm(s *site) server {
	var list strings.Builder
	list.WriteString("model_list:\n")
	for _, m := range s.models {
		fmt.Fprintf(&list, "  - model_name: %[1]s\n    litellm_params:\n      model: openai/%[1]s\n      api_base: http://%[2]s/v1\n      api_key: sk-mock\n", m, s.mock)
	}
	_, port, _ := strings.Cut(s.addr, ":")
	return server{
		command: []string{filepath.Join(s.env.Peers, litellmBinary), "--config", "config.yaml", "--host", "127.0.0.1", "--port", port},
		files:   map[string]string{"config.yaml": list.String()},
		env:     []string{"LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True", "NO_DOCS=True"},
	}
}

func portkey(s *site) server {
	_, port, _ := strings.Cut(s.addr, ":")
	return server{
		command: []string{"node", filepath.Join(s.env.Peers, portkeyScript), "--headless", "--port=" + port},
		env:     []string{"TRUSTED_CUSTOM_HOSTS=127.0.0.1", "NODE_ENV=production"},
	}
}
