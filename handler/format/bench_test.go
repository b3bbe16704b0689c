package format_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cuzteam/porta/handler/format"
)

// BenchmarkLine is an access log's line without the gateway's own object.
func BenchmarkLine(b *testing.B) {
	var f format.Format
	if err := f.Provision(caddy.Context{Context: b.Context()}); err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/chat/completions", nil)
	for _, name := range []string{"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Type", "User-Agent", "X-Stainless-Lang", "X-Stainless-Os"} {
		r.Header.Set(name, "application/json; charset=utf-8")
	}
	request := zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})
	entry := zapcore.Entry{Level: zapcore.InfoLevel, Time: time.Now(), LoggerName: "http.log.access.log0", Message: "handled request"}
	b.ReportAllocs()
	for b.Loop() {
		logger := f.Clone()
		request.AddTo(logger)
		line, err := logger.EncodeEntry(entry, []zapcore.Field{
			zap.Int("bytes_read", 1234), zap.String("user_id", "bench"), zap.Duration("duration", 1234567), zap.Int("size", 1024), zap.Int("status", 200),
		})
		if err != nil {
			b.Fatal(err)
		}
		line.Free()
	}
}
