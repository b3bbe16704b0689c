package http1

import (
	"net"
	"testing"
	"time"
)

// idled is an idle connection that says whether it was closed.
type idled struct {
	net.Conn
	closed bool
}

func (i *idled) Close() error {
	i.closed = true
	return nil
}

// TestASweepTakesWhatIsOldOnly, and there is another one as long as something is left.
func TestASweepTakesWhatIsOldOnly(t *testing.T) {
	transport := &Transport{MaxIdle: 10, IdleTimeout: time.Hour}
	p := &transport.idle
	var all []*idled
	for range 4 {
		all = append(all, &idled{})
	}
	for i, addr := range []string{"a", "a", "a", "b"} {
		p.put(&conn{Conn: all[i], t: transport, addr: addr})
	}
	age := func(c *conn) { c.since = c.since.Add(-time.Hour) }
	wantClosed := func(want ...bool) {
		t.Helper()
		for i := range want {
			if all[i].closed != want[i] {
				t.Errorf("connection %d: closed %v, want %v", i, all[i].closed, want[i])
			}
		}
	}
	p.sweep(time.Hour)
	wantClosed(false, false, false, false)
	age(p.idle["a"][0])
	age(p.idle["b"][0])
	p.sweep(time.Hour)
	wantClosed(true, false, false, true)
	if p.sweeper == nil || len(p.idle) != 1 {
		t.Errorf("after it: sweeper %v, idle %v", p.sweeper, p.idle)
	}
	if c := p.take("a"); c == nil || c.Conn != all[2] {
		t.Errorf("then %v is taken, want the last", c)
	}
	age(p.idle["a"][0])
	p.sweep(time.Hour)
	wantClosed(true, true, false, true)
	if p.sweeper != nil || len(p.idle) != 0 {
		t.Errorf("at the end: sweeper %v, idle %v", p.sweeper, p.idle)
	}
}
