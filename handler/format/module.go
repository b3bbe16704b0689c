// Package format is a log format for gateways: caddy.logging.encoders.porta.
package format

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
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
	case key == "request" && f.request == nil:
		f.request = object
		return nil
	case key == "resp_headers":
		return nil
	}
	return f.own().AddObject(key, shown(key, object))
}

// OpenNamespace implements zapcore.ObjectEncoder. The request is not of the namespace.
func (f *Format) OpenNamespace(key string) {
	if f.request != nil {
		_ = f.own().AddObject("request", shown("request", f.request)) // the line has the error
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
		kept = append(kept, zap.Object("request", shown("request", f.request)))
	}
	for _, field := range fields {
		if object, ok := field.Interface.(zapcore.ObjectMarshaler); ok && field.Type == zapcore.ObjectMarshalerType {
			if field.Key == "resp_headers" {
				continue
			}
			field.Interface = shown(field.Key, object)
		}
		kept = append(kept, field)
	}
	b, err := f.Encoder.EncodeEntry(entry, kept)
	clear(kept)
	*line = kept[:0]
	lines.Put(line)
	return b, err
}

// shown returns an object as it is logged under a key.
func shown(key string, object zapcore.ObjectMarshaler) zapcore.ObjectMarshaler {
	if key == "request" {
		return request{object}
	}
	return object
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
	if key == "uri" {
		value, _, _ = strings.Cut(value, "?")
	}
	f.ObjectEncoder.AddString(key, value)
}

var (
	_ zapcore.Encoder       = (*Format)(nil)
	_ caddy.Provisioner     = (*Format)(nil)
	_ caddyfile.Unmarshaler = (*Format)(nil)
)
