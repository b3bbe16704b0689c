package http1

import (
	"bytes"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// parseHead reads the head of an answer if it is one as nearly all are: it fits into the buffer, has
// no body or one whose end is clear, and nothing about it is unusual. Of everything else it reads
// nothing, for net/http to read it.
func (x *exchange) parseHead() bool {
	end := x.waitHead()
	if end == 0 {
		return false
	}
	raw, _ := x.c.in.Peek(end) // it is there
	text := string(raw)        // all of the header's values are parts of it
	status, fields, _ := strings.Cut(text[:end-2], "\r\n")
	h := head{left: -1}
	if !h.status(status) {
		return false
	}
	lines := strings.Count(fields, "\r\n")
	h.fields, h.values = make(http.Header, lines), make([]string, 0, lines)
	for fields != "" {
		var line string
		line, fields, _ = strings.Cut(fields, "\r\n")
		if !h.field(line) {
			return false
		}
	}
	if !x.begin(&h) {
		return false
	}
	_, _ = x.c.in.Discard(end)
	return true
}

// version is how the heads that parseHead reads begin.
const version = "HTTP/1.1 "

// waitHead reads until the buffer has the whole head, and returns its length with the empty line; 0
// if it does not fit, or ends before. It does not wait for the end of what cannot become one: a server
// that ends its lines otherwise, or speaks another protocol, may send no more.
func (x *exchange) waitHead() int {
	line, seen := 0, 0 // where the last line begins, and what has been looked at
	for {
		have, _ := x.c.in.Peek(x.c.in.Buffered())
		if n := min(len(have), len(version)); string(have[:n]) != version[:n] {
			return 0
		}
		for {
			i := bytes.IndexByte(have[seen:], '\n')
			if i < 0 {
				break
			}
			seen += i + 1
			switch length := seen - line; {
			case length == 1 || have[seen-2] != '\r':
				return 0
			case length == 2:
				return seen
			}
			line = seen
		}
		if seen = len(have); seen == bufferSize {
			return 0
		}
		if _, err := x.c.in.Peek(seen + 1); err != nil {
			return 0
		}
	}
}

// head is the head of an answer as it is read.
type head struct {
	line    string // the status line after the version
	code    int
	fields  http.Header
	values  []string // of all fields, in one piece
	left    int64    // the length of the body; -1: unknown
	chunked bool
	close   bool // the server closes the connection
}

// status reads a status line.
func (h *head) status(line string) bool {
	rest, ok := strings.CutPrefix(line, version)
	if !ok || len(rest) < 4 || rest[3] != ' ' || !httpguts.ValidHeaderFieldValue(rest) {
		return false
	}
	for i := range 3 {
		if rest[i] < '0' || rest[i] > '9' {
			return false
		}
		h.code = h.code*10 + int(rest[i]-'0')
	}
	h.line = rest
	return h.code >= 200
}

// field reads a line of the header.
func (h *head) field(line string) bool {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !httpguts.ValidHeaderFieldName(name) {
		return false
	}
	value = strings.Trim(value, " \t")
	if !httpguts.ValidHeaderFieldValue(value) {
		return false
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Content-Length":
		if h.left >= 0 || !h.length(value) {
			return false
		}
	case "Transfer-Encoding":
		h.chunked = value == "chunked" && !h.chunked
		return h.chunked // net/http does not show it
	case "Connection":
		if h.close || h.fields[name] != nil {
			return false
		}
		switch value {
		case "close", "Close":
			h.close = true
			return true // net/http does not show it
		case "keep-alive", "Keep-Alive":
		default:
			return false
		}
	case "Trailer", "Pragma":
		return false
	}
	if earlier := h.fields[name]; earlier != nil {
		h.fields[name] = append(earlier, value)
		return true
	}
	h.values = append(h.values, value)
	last := len(h.values) - 1
	h.fields[name] = h.values[last : last+1 : last+1] // a further value gets memory of its own
	return true
}

// maxDigits keeps lengths within an int64.
const maxDigits = 18

// length reads the length of the body.
func (h *head) length(value string) bool {
	if value == "" || len(value) > maxDigits {
		return false
	}
	h.left = 0
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
		h.left = h.left*10 + int64(value[i]-'0')
	}
	return true
}

// chunkedEncoding is shared by all answers.
var chunkedEncoding = []string{"chunked"}

// begin makes the answer of its head, if it is clear where it ends.
func (x *exchange) begin(h *head) bool {
	if h.chunked == (h.left >= 0) || h.code == http.StatusNoContent || h.code == http.StatusNotModified {
		return false
	}
	x.keep = !h.close
	x.left = h.left
	x.res = http.Response{
		Status: h.line, StatusCode: h.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.fields, ContentLength: h.left, Close: h.close,
	}
	switch {
	case h.chunked:
		x.res.TransferEncoding = chunkedEncoding
		x.chunks = httputil.NewChunkedReader(x.c.in)
	case h.left == 0:
		x.res.Body = http.NoBody
	}
	return true
}
