package http1

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net"
	"syscall"
	"time"
)

const (
	bufferSize = 4 << 10
	maxHead    = 1 << 20 // of an answer, in bytes
)

// conn is a connection. It belongs to one exchange at a time, or to the pool.
type conn struct {
	net.Conn
	t      *Transport
	addr   string
	in     *bufio.Reader // what has come and is not read yet
	room   int64         // how much may be read, in bytes
	since  time.Time     // when it became idle
	reused bool

	raw   syscall.RawConn
	probe func(fd uintptr) bool
	quiet bool // what probe has found
}

func newConn(t *Transport, addr string, nc net.Conn) (*conn, error) {
	s, ok := nc.(syscall.Conn)
	if !ok {
		nc.Close()
		return nil, fmt.Errorf("http1: a connection of type %T cannot be probed", nc)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		nc.Close()
		return nil, err
	}
	c := &conn{Conn: nc, t: t, addr: addr, raw: raw}
	c.in = bufio.NewReaderSize(limited{c}, bufferSize)
	c.probe = func(fd uintptr) bool {
		c.quiet = isQuiet(fd)
		return true // do not wait
	}
	return c, nil
}

// alive says that an idle connection can be used: the server has neither closed it nor sent what
// nobody has asked for.
func (c *conn) alive() bool {
	c.quiet = false
	err := c.raw.Read(c.probe)
	return err == nil && c.quiet
}

// abort ends whatever is under way.
func (c *conn) abort() { c.Close() }

var errHeadTooLong = errors.New("http1: the head of the answer is too long")

// limited reads from the connection as much as there is room for.
type limited struct{ c *conn }

// Read implements io.Reader.
func (l limited) Read(p []byte) (int, error) {
	if l.c.room <= 0 {
		return 0, errHeadTooLong
	}
	n, err := l.c.Conn.Read(p[:min(int64(len(p)), l.c.room)])
	l.c.room -= int64(n)
	return n, err
}

// bound sets how much may be read; 0 takes the bound away.
func (c *conn) bound(n int64) {
	if n == 0 {
		n = math.MaxInt64
	}
	c.room = n
}
