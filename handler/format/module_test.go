package format_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cuzteam/porta/handler/format"
)

// TestSecretsOfClientsAreLeftOut: whether a request is a field of one line, as in access logs, or
// of all lines of a logger.
func TestSecretsOfClientsAreLeftOut(t *testing.T) {
	r := httptest.NewRequest("POST", "/v1/chat/completions?key=secret-1", nil)
	r.Host = "api.example.com"
	for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "X-Own"} {
		r.Header.Set(name, "secret-2")
	}
	r.TLS = &tls.ConnectionState{ServerName: "secret-3"}
	request := zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: true})
	answer := zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: http.Header{"Set-Cookie": {"secret-4"}}, ShouldLogCredentials: true})
	own := zap.Object("porta", zapcore.ObjectMarshalerFunc(func(to zapcore.ObjectEncoder) error {
		to.AddString("model", "m?x")
		return to.AddObject("usage", zapcore.ObjectMarshalerFunc(func(to zapcore.ObjectEncoder) error { to.AddInt("total_tokens", 7); return nil }))
	}))
	for name, with := range map[string]bool{"fields of a line": false, "fields of a logger": true} {
		t.Run(name, func(t *testing.T) {
			var f format.Format
			if err := f.Provision(caddy.Context{Context: t.Context()}); err != nil {
				t.Fatal(err)
			}
			encoder, fields := f.Clone(), []zapcore.Field{request, answer, own, zap.Int("status", 200)}
			if with {
				for _, field := range fields {
					field.AddTo(encoder)
				}
				encoder, fields = encoder.Clone(), nil
			}
			b, err := encoder.EncodeEntry(zapcore.Entry{Message: "handled request"}, fields)
			if err != nil {
				t.Fatal(err)
			}
			line := b.String()
			if strings.Contains(line, "secret") {
				t.Errorf("it has a secret: %s", line)
			}
			for path, want := range map[string]string{
				"request.uri": "/v1/chat/completions", "request.host": "api.example.com", "request.method": "POST", "status": "200",
				"porta.model": "m?x", "porta.usage.total_tokens": "7", "msg": "handled request",
			} {
				if got := gjson.Get(line, path).String(); got != want {
					t.Errorf("%s is %q, want %q: %s", path, got, want, line)
				}
			}
		})
	}
}

// TestTheRequestOfALoggerIsWrittenWithItsLines: it is kept until then, and must be where it was put.
func TestTheRequestOfALoggerIsWrittenWithItsLines(t *testing.T) {
	var f format.Format
	if err := f.Provision(caddy.Context{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	object := func(host string) zap.Field {
		return zap.Object("request", zapcore.ObjectMarshalerFunc(func(to zapcore.ObjectEncoder) error {
			to.AddString("host", host)
			return to.AddObject("headers", zapcore.ObjectMarshalerFunc(func(to zapcore.ObjectEncoder) error {
				to.AddString("x", "secret")
				return nil
			}))
		}))
	}
	r := httptest.NewRequest("POST", "/v1/x?key=secret", nil)
	r.Header.Set("X-Api-Key", "secret")
	caddys := zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})
	const full = `{"remote_ip":"192.0.2.1","remote_port":"1234","proto":"HTTP/1.1","method":"POST","host":"example.com","uri":"/v1/x"}`
	for _, test := range []struct {
		name   string
		logger []zap.Field
		line   []zap.Field
		want   string
	}{
		{"none", nil, []zap.Field{zap.Int("n", 1)}, `{"n":1}`},
		{"alone", []zap.Field{object("a")}, nil, `{"request":{"host":"a"}}`},
		{"among others", []zap.Field{zap.Int("n", 1), object("a"), zap.Int("m", 2)}, []zap.Field{zap.Int("o", 3)}, `{"n":1,"request":{"host":"a"},"m":2,"o":3}`},
		{"before a namespace", []zap.Field{object("a"), zap.Namespace("in"), zap.Int("n", 1)}, nil, `{"request":{"host":"a"},"in":{"n":1}}`},
		{"in a namespace", []zap.Field{zap.Namespace("in"), object("a")}, []zap.Field{zap.Int("n", 1)}, `{"in":{"request":{"host":"a"},"n":1}}`},
		{"twice", []zap.Field{object("a"), zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})}, nil, `{"request":{"host":"a"},"request":` + full + `}`},
		{"Caddy's", []zap.Field{zap.Int("n", 1), caddys, zap.Int("m", 2)}, []zap.Field{zap.Int("o", 3)}, `{"n":1,"m":2,"request":` + full + `,"o":3}`},
		{"Caddy's before a namespace", []zap.Field{caddys, zap.Namespace("in"), zap.Int("n", 1)}, nil, `{"request":` + full + `,"in":{"n":1}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			encoder := f.Clone()
			for _, field := range test.logger {
				field.AddTo(encoder)
			}
			for range 2 { // a logger has many lines
				beside := encoder.Clone()
				beside.AddString("other", "logger")
				_ = beside.AddObject("request", zapcore.ObjectMarshalerFunc(func(zapcore.ObjectEncoder) error { return nil }))
				b, err := encoder.EncodeEntry(zapcore.Entry{}, test.line)
				if err != nil {
					t.Fatal(err)
				}
				_, line, _ := strings.Cut(b.String(), `"msg":""`)
				if got := "{" + strings.TrimPrefix(strings.TrimSpace(line), ","); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			}
		})
	}
}

// TestNothingIsAddedToASharedEncoder: what one logger adds must not show in the lines of another.
func TestNothingIsAddedToASharedEncoder(t *testing.T) {
	var f format.Format
	if err := f.Provision(caddy.Context{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	line := func(e zapcore.Encoder) string {
		b, err := e.EncodeEntry(zapcore.Entry{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	parent := f.Clone()
	parent.AddInt("n", 1)
	want := line(parent)
	methods := reflect.TypeFor[zapcore.ObjectEncoder]()
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		arguments := []reflect.Value{reflect.ValueOf("key")}
		for j := 1; j < m.Type.NumIn(); j++ {
			switch in := m.Type.In(j); {
			case in == reflect.TypeFor[zapcore.ObjectMarshaler]():
				arguments = append(arguments, reflect.ValueOf(zapcore.ObjectMarshalerFunc(func(zapcore.ObjectEncoder) error { return nil })))
			case in == reflect.TypeFor[zapcore.ArrayMarshaler]():
				arguments = append(arguments, reflect.ValueOf(zapcore.ArrayMarshalerFunc(func(zapcore.ArrayEncoder) error { return nil })))
			default:
				arguments = append(arguments, reflect.Zero(in))
			}
		}
		child := parent.Clone()
		sibling := parent.Clone()
		reflect.ValueOf(child).MethodByName(m.Name).Call(arguments)
		if got := line(child); m.Name != "OpenNamespace" && !strings.Contains(got, `"key":`) {
			t.Errorf("%s has added nothing: %s", m.Name, got)
		}
		if line(parent) != want || line(sibling) != want {
			t.Errorf("%s has changed other loggers: %s and %s", m.Name, line(parent), line(sibling))
		}
		late := child.Clone()
		child.AddInt("late", 2)
		if strings.Contains(line(late), "late") {
			t.Errorf("after %s a copy shows what came later: %s", m.Name, line(late))
		}
	}
}

// TestAFilterAroundTheFormat: Caddy's filter hands on what is left of a request field by field.
func TestAFilterAroundTheFormat(t *testing.T) {
	filter := new(logging.FilterEncoder)
	d := caddyfile.NewTestDispenser("filter {\nwrap porta\nfields {\nrequest>remote_ip delete\n}\n}")
	if err := filter.UnmarshalCaddyfile(d); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := filter.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/x?key=secret", nil)
	r.Header.Set("X-Api-Key", "secret")
	field := zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})
	for name, with := range map[string]bool{"field of a line": false, "field of a logger": true} {
		t.Run(name, func(t *testing.T) {
			encoder, fields := filter.Clone(), []zapcore.Field{field}
			if with {
				field.AddTo(encoder)
				fields = nil
			}
			for range 2 {
				b, err := encoder.EncodeEntry(zapcore.Entry{Message: "m"}, append(fields, zap.Int("status", 200)))
				if err != nil {
					t.Fatal(err)
				}
				line := b.String()
				if strings.Contains(line, "secret") || strings.Contains(line, "remote_ip") || !gjson.Valid(line) {
					t.Errorf("the line is %s", line)
				}
				if gjson.Get(line, "request.uri").String() != "/v1/x" || gjson.Get(line, "request.host").String() != "example.com" || gjson.Get(line, "status").Int() != 200 {
					t.Errorf("something is missing: %s", line)
				}
			}
		})
	}
}
