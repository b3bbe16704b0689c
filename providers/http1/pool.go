package http1

import (
	"sync"
	"time"
)

// pool keeps idle connections. The one that was used last is taken first, so that those too many
// grow old.
type pool struct {
	mu      sync.Mutex
	idle    map[string][]*conn // by address, the oldest first
	sweeper *time.Timer        // nil while there is nothing to sweep
	over    bool               // cleared, and not used since
}

// take returns a connection; nil if there is none.
func (p *pool) take(addr string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = false
	list := p.idle[addr]
	if len(list) == 0 {
		return nil
	}
	last := len(list) - 1
	c := list[last]
	list[last], p.idle[addr] = nil, list[:last]
	return c
}

// put keeps a connection, unless there are enough.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[c.addr]
	if p.over || len(list) >= c.t.MaxIdle {
		c.Close()
		return
	}
	c.since = time.Now()
	if p.idle == nil {
		p.idle = make(map[string][]*conn)
	}
	p.idle[c.addr] = append(list, c)
	if p.sweeper == nil {
		timeout := c.t.IdleTimeout
		p.sweeper = time.AfterFunc(timeout, func() { p.sweep(timeout) })
	}
}

// sweep closes what has been idle for too long, and comes again while something is left.
func (p *pool) sweep(timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := time.Now().Add(-timeout)
	for addr, list := range p.idle {
		old := 0
		for old < len(list) && !list[old].since.After(before) {
			list[old].Close()
			old++
		}
		rest := copy(list, list[old:])
		clear(list[rest:])
		if p.idle[addr] = list[:rest]; rest == 0 {
			delete(p.idle, addr)
		}
	}
	if len(p.idle) == 0 {
		p.sweeper = nil
		return
	}
	p.sweeper.Reset(max(timeout/4, time.Millisecond))
}

// clear closes all, and those that become idle until one is asked for again: they would stay behind
// a transport that has had its time.
func (p *pool) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.idle {
		for _, c := range list {
			c.Close()
		}
	}
	p.idle, p.over = nil, true
}
