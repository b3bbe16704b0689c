// Package lasting keeps what outlives a reload, for as long as a config has it.
package lasting

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cuzteam/porta/credentials"
	"github.com/cuzteam/porta/providers"
)

var (
	// Shared by all providers with the same settings: idle connections spare a handshake.
	transports = caddy.NewUsagePool()
	known      = caddy.NewUsagePool() // what is known of each provider, by a hash of its identity
	stores     = caddy.NewUsagePool() // accounts, by folder
)

// Lease is what one config has taken. The zero value has nothing. It is used by one goroutine.
type Lease struct{ held []held }

type held struct {
	pool *caddy.UsagePool
	key  string
}

// take returns the value of a key, made if no config has it.
func take[T caddy.Destructor](l *Lease, pool *caddy.UsagePool, key string, make func() T) (T, error) {
	v, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return make(), nil })
	if err != nil {
		var none T
		return none, err
	}
	l.held = append(l.held, held{pool, key})
	return v.(T), nil
}

// Release gives everything back, once. Requests may still be using it.
func (l *Lease) Release() error {
	var errs []error
	for _, h := range l.held {
		_, err := h.pool.Delete(h.key)
		errs = append(errs, err)
	}
	l.held = nil
	return errors.Join(errs...)
}

// Transport returns the transport with this dial timeout and proxy: "" is the environment's,
// "none" is none, via the parsed URL of any other.
func (l *Lease) Transport(dial time.Duration, proxy string, via *url.URL) (*providers.Transport, error) {
	t, err := take(l, transports, fmt.Sprintf("%v %s", dial, proxy), func() transport {
		t := providers.NewTransport(dial, via)
		if proxy == "none" {
			t.Proxy = nil
		}
		return transport{t}
	})
	return t.Transport, err
}

type transport struct{ *providers.Transport }

// Destruct implements caddy.Destructor. Requests that still run are not touched; a connection that
// they give back later is closed when it has been idle for a minute.
func (t transport) Destruct() error {
	t.CloseIdleConnections()
	time.AfterFunc(100*time.Millisecond, t.CloseIdleConnections) // what ended just now comes back in a moment
	return nil
}

// Shared returns what is known of a provider. Its name, the config of its module and its proxy
// are its identity; secrets are in none of them but as placeholders.
func (l *Lease) Shared(name string, module []byte, proxy string) (*providers.Shared, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", name, module, proxy))
	return take(l, known, string(sum[:]), func() *providers.Shared { return new(providers.Shared) })
}

// Store returns what is known of the accounts in a folder.
func (l *Lease) Store(dir string) (*credentials.Store, error) {
	key, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s, err := take(l, stores, key, func() store { return store{new(credentials.Store)} })
	return s.Store, err
}

type store struct{ *credentials.Store }

// Destruct implements caddy.Destructor: requests of the last config may still use it.
func (store) Destruct() error { return nil }
