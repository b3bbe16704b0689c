// Package format is a log format for gateways: caddy.logging.encoders.porta.
package format

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

func init() { caddy.RegisterModule(new(Format)) }

// Format is Caddy's JSON without the places where clients put keys: of a request's object it
// leaves out the headers, the query and what is known of TLS, and of the answer the headers. Caddy
// masks Authorization and Cookie, but a gateway's clients also send X-Api-Key, Api-Key,
// X-Goog-Api-Key and ?key=. It costs half of what the whole record does, and less than a filter,
// which takes the same out again.
//
//	log {
//		format porta
//	}
//
// The options are those of Caddy's format json.
type Format struct {
	logging.JSONEncoder

	// The request of a logger's lines. Caddy gives it to all logs before it asks which of them take
	// the line, so it is written with the line, and not before: most never are.
	request zapcore.ObjectMarshaler
	// A request's object is being added. What wraps this format, as Caddy's filter, adds its fields
	// here and not to the encoder that the object gets.
	within bool
	// The embedded encoder is another logger's too. Most loggers are of one request and add nothing
	// else, so it is copied only for what is added; see own.
	shared atomic.Bool
}

// CaddyModule implements caddy.Module.
func (*Format) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.porta", New: func() caddy.Module { return new(Format) }}
}

// Clone implements zapcore.Encoder.
func (f *Format) Clone() zapcore.Encoder {
	f.shared.Store(true)
	c := &Format{JSONEncoder: f.JSONEncoder, request: f.request}
	c.shared.Store(true)
	return c
}

// own returns the encoder for what is added to the logger.
func (f *Format) own() zapcore.Encoder {
	if f.shared.Swap(false) {
		f.Encoder = f.Encoder.Clone()
	}
	return f.Encoder
}

// AddObject implements zapcore.ObjectEncoder; it is how an access log gets its request.
func (f *Format) AddObject(key string, object zapcore.ObjectMarshaler) error {
	switch {
	case f.within || key == "resp_headers":
		return nil
	case key != "request":
		return f.own().AddObject(key, object)
	}
	if own, ok := object.(caddyhttp.LoggableHTTPRequest); ok && f.request == nil {
		f.request = own
		return nil
	}
	f.within = true
	defer func() { f.within = false }()
	return f.own().AddObject(key, request{object})
}

// AddString implements zapcore.ObjectEncoder.
func (f *Format) AddString(key, value string) {
	if f.within {
		value = visible(key, value)
	}
	f.own().AddString(key, value)
}

// OpenNamespace implements zapcore.ObjectEncoder. The request is not of the namespace.
func (f *Format) OpenNamespace(key string) {
	if f.request != nil {
		_ = f.own().AddObject("request", request{f.request}) // the line has the error
		f.request = nil
	}
	f.own().OpenNamespace(key)
}

// lines are the fields of lines that are being encoded.
var lines = sync.Pool{New: func() any { return new([]zapcore.Field) }}

// EncodeEntry implements zapcore.Encoder.
func (f *Format) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line := lines.Get().(*[]zapcore.Field)
	kept := (*line)[:0]
	if f.request != nil {
		kept = append(kept, zap.Object("request", request{f.request}))
	}
	for _, field := range fields {
		if object, ok := field.Interface.(zapcore.ObjectMarshaler); ok && field.Type == zapcore.ObjectMarshalerType {
			switch field.Key {
			case "request":
				field.Interface = request{object}
			case "resp_headers":
				continue
			}
		}
		kept = append(kept, field)
	}
	b, err := f.Encoder.EncodeEntry(entry, kept)
	clear(kept)
	*line = kept[:0]
	lines.Put(line)
	return b, err
}

// request is a request as it is logged.
type request struct{ zapcore.ObjectMarshaler }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (r request) MarshalLogObject(to zapcore.ObjectEncoder) error {
	return r.ObjectMarshaler.MarshalLogObject(fields{to})
}

// fields lets the fields of a request pass that hold no secret.
type fields struct{ zapcore.ObjectEncoder }

// AddObject implements zapcore.ObjectEncoder. A request's objects are headers and tls.
func (fields) AddObject(string, zapcore.ObjectMarshaler) error { return nil }

// AddString implements zapcore.ObjectEncoder.
func (f fields) AddString(key, value string) {
	f.ObjectEncoder.AddString(key, visible(key, value))
}

// visible returns what is shown of a text of a request.
func visible(key, value string) string {
	if key == "uri" {
		value, _, _ = strings.Cut(value, "?")
	}
	return value
}

var (
	_ zapcore.Encoder       = (*Format)(nil)
	_ caddy.Provisioner     = (*Format)(nil)
	_ caddyfile.Unmarshaler = (*Format)(nil)
)
