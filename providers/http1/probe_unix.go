//go:build unix

package http1

import "syscall"

// canProbe says that isQuiet works on this system.
const canProbe = true

// isQuiet says that nothing can be read from a connection, not even its end. What is read by asking
// is lost, but then nobody wants it.
func isQuiet(fd uintptr) bool {
	var b [1]byte
	for {
		_, err := syscall.Read(int(fd), b[:])
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
