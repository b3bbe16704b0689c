package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/cuzteam/porta/credentials"
	"github.com/cuzteam/porta/providers/chat"
)

// maxErrorBody is how much of an error answer is read, in bytes.
const maxErrorBody = 64 << 10

// Upstream is a provider's server with the accounts that may use it: what adapters share of HTTP.
// Its fields are set once. It is safe for concurrent use.
type Upstream struct {
	// Transport reaches the server.
	Transport http.RoundTripper
	// Accounts are used in turn; an empty pool sends no credential.
	Accounts *credentials.Pool
	// Via returns the transport for accounts that have a proxy of their own. Nil: they use
	// Transport.
	Via func(proxy string) (http.RoundTripper, error)
	// Sign puts the account's credential into a request. Default: Authorization: Bearer.
	Sign func(*http.Request, *credentials.Account) error
	// Header is sent with each request, in place of the adapter's own of the same name.
	Header http.Header
	// Refuses says that an answer refuses the account's token, which is then refreshed and the call
	// repeated once. Default: its status is 401.
	Refuses func(*http.Response) bool
	// Classify makes an Error of an answer that is not 200. Default: FromResponse.
	Classify func(status int, header http.Header, body []byte) *Error
}

// Call is one request to an upstream.
type Call struct {
	Method string
	URL    *url.URL // not changed, may be shared
	Header http.Header
	// Body is sent as it is; nil sends none. It must not change until the response is closed.
	Body []byte
	// Model is what the limits of an account are counted by.
	Model string
	// Stream says that the answer may take minutes: a long body is not kept for as long.
	Stream bool
	// Only is the account to use, whoever's turn it is. Nil: the next one.
	Only *credentials.Account
	// Classify replaces the upstream's own if it is set: models may differ.
	Classify func(status int, header http.Header, body []byte) *Error
	// Lender, if set, is told how long Body is in use, which belongs to a request.
	Lender *chat.Loans
}

// Response is an answer with status 200.
type Response struct {
	*http.Response
	Account *credentials.Account // nil: none was needed
}

// Scrub takes the account's secret out of a text that the provider sent.
func (r *Response) Scrub(text string) string { return r.Account.Scrub(text) }

// AccountName returns the account's name, empty if there is none.
func (r *Response) AccountName() string {
	if r.Account == nil {
		return ""
	}
	return r.Account.Name()
}

// Do sends a call with the next account and returns its answer. Everything else than 200 is an
// *Error, and the account is sent to rest if it was at fault. A token that the provider refuses is
// refreshed, and the call repeated once. If ctx ends, the error is its cause.
func (u *Upstream) Do(ctx context.Context, c Call) (*Response, error) {
	account, err := c.Only, error(nil)
	if account == nil {
		if account, err = u.pick(ctx, c.Model); err != nil {
			return nil, err
		}
	}
	for again := false; ; again = true {
		token, err := u.token(ctx, account, c.Model)
		if err != nil {
			return nil, err
		}
		res, err := u.send(ctx, c, account)
		if err != nil {
			return nil, err
		}
		if res.StatusCode == http.StatusOK {
			if account != nil {
				account.OK()
			}
			return &Response{res, account}, nil
		}
		if account != nil && !again && u.refuses(res) && u.Accounts.Refused(ctx, account, token) == nil {
			res.Body.Close()
			continue
		}
		return nil, u.refused(ctx, res, account, c)
	}
}

func (u *Upstream) refuses(res *http.Response) bool {
	if u.Refuses != nil {
		return u.Refuses(res)
	}
	return res.StatusCode == http.StatusUnauthorized
}

// send sends a call once.
func (u *Upstream) send(ctx context.Context, c Call, account *credentials.Account) (*http.Response, error) {
	out := c.outgoing()
	req := (&http.Request{
		Method: c.Method, URL: c.URL, Host: c.URL.Host, Header: c.Header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(out.trace(ctx))
	if c.Body != nil {
		req.ContentLength = int64(len(c.Body))
		req.GetBody = out.body
		req.Body, _ = out.body() // it does not fail
	}
	transport := u.Transport
	if account != nil {
		if err := u.sign(req, account); err != nil {
			return nil, &Error{Class: Unauthorized, Account: account.Name(), Err: fmt.Errorf("signing request: %w", err)}
		}
		if proxy := account.Entry().Get("proxy"); proxy != "" && u.Via != nil {
			var err error
			if transport, err = u.Via(proxy); err != nil {
				return nil, &Error{Class: Unreachable, Account: account.Name(), Err: err}
			}
		}
	}
	for name, values := range u.Header {
		if name == "Host" {
			req.Host = values[0]
			continue
		}
		req.Header[name] = values
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, transportError(ctx, err, account)
	}
	out.answered()
	return res, nil
}

// pick returns the account to use; nil if none is needed.
func (u *Upstream) pick(ctx context.Context, model string) (*credentials.Account, error) {
	if u.Accounts == nil || u.Accounts.Len() == 0 {
		return nil, nil
	}
	account, wait, err := u.Accounts.Acquire(ctx, model)
	switch {
	case err != nil:
		return nil, err
	case account == nil && wait == 0:
		return nil, &Error{Class: Unauthorized, Err: errors.New("no account is usable; see the log and the accounts file")}
	case account == nil:
		return nil, &Error{Class: RateLimited, RetryAfter: wait, Err: errors.New("all accounts are rate limited")}
	}
	return account, nil
}

// token sees to it that the account has a token that has not expired, and returns it.
func (u *Upstream) token(ctx context.Context, account *credentials.Account, model string) (string, error) {
	if account == nil {
		return "", nil
	}
	token, err := u.Accounts.Token(ctx, account)
	switch {
	case err == nil:
		return token, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	}
	return "", &Error{Class: Unauthorized, Account: account.Name(), OtherAccount: u.Accounts.Ready(model), Err: fmt.Errorf("getting a token: %w", err)}
}

func (u *Upstream) sign(req *http.Request, account *credentials.Account) error {
	if u.Sign != nil {
		return u.Sign(req, account)
	}
	req.Header["Authorization"] = []string{"Bearer " + account.Secret()}
	return nil
}

// transportError classes what the transport failed with.
func transportError(ctx context.Context, err error, account *credentials.Account) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := FromTransport(err)
	if account != nil {
		e.Account = account.Name()
	}
	return e
}

// FromTransport makes an Error of what an http.RoundTripper or http.Client, or the reading of an
// answer, failed with: Unreachable, Broken if a connection was cut, else ServerError. The URL that
// http.Client puts into its errors is taken out, as it may hold a key.
func FromTransport(err error) *Error {
	err = withoutURL(err)
	var op *net.OpError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns), errors.As(err, &op) && op.Op != "read" && op.Op != "write", isTLS(err):
		return &Error{Class: Unreachable, Err: err}
	case isCut(err), errors.As(err, &timeout), op != nil:
		return &Error{Class: Broken, Err: err}
	}
	return &Error{Class: ServerError, Err: err}
}

// isCut says that a connection was cut by the other side, or ended too early.
func isCut(err error) bool {
	for _, cut := range []error{io.ErrUnexpectedEOF, io.EOF, syscall.ECONNRESET, syscall.EPIPE, http.ErrBodyReadAfterClose, net.ErrClosed} {
		if errors.Is(err, cut) {
			return true
		}
	}
	// net/http and its HTTP/2 have no names for these.
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") || strings.Contains(text, "http2: ") || strings.Contains(text, "stream error: ") || strings.Contains(text, "transport connection broken")
}

// isTLS says that the handshake failed, which a further try does not help.
func isTLS(err error) bool {
	text := err.Error()
	return strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ") || strings.Contains(text, "TLS handshake timeout")
}

// withoutURL drops the URL that url.Error adds: it may hold a key.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refused reads an answer that is not 200 and closes it.
func (u *Upstream) refused(ctx context.Context, res *http.Response, account *credentials.Account, c Call) error {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	classify := c.Classify
	switch {
	case classify != nil:
	case u.Classify != nil:
		classify = u.Classify
	default:
		classify = FromResponse
	}
	e := classify(res.StatusCode, res.Header, body)
	if account == nil {
		return e
	}
	e.Account = account.Name()
	e = e.Scrub(account.Scrub)
	switch e.Class {
	case RateLimited:
		if e.RetryAfter > 0 {
			account.Limit(c.Model, e.RetryAfter)
			break
		}
		account.Pause()
	case Unauthorized, Quota:
		account.Pause()
	default:
		return e
	}
	e.OtherAccount = u.Accounts.Ready(c.Model)
	return e
}
