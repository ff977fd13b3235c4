package transport

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many are open. Those that wait for a request, or for
// the first byte of one, are in the order in which they began to wait: whoever
// opens many and sends nothing pushes out only its own.
type connections struct {
	max int

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // nil: a request is under way
	waiting list.List                  // of net.Conn
}

// changed is the hook of http.Server.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if c.max <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]*list.Element{}
	}
	if e := c.open[conn]; e != nil {
		c.waiting.Remove(e)
	}
	switch state {
	case http.StateNew:
		c.makeRoom(conn)
		c.open[conn] = c.waiting.PushBack(conn)
	case http.StateIdle:
		c.open[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

// makeRoom closes the connection that has waited longest, or if all are busy
// the new one. The server hears of it by an error of its next read or write.
func (c *connections) makeRoom(conn net.Conn) {
	if len(c.open) < c.max {
		return
	}
	if oldest := c.waiting.Front(); oldest != nil {
		conn = c.waiting.Remove(oldest).(net.Conn)
		delete(c.open, conn)
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // no farewell, which could wait for the peer
	}
	_ = conn.Close() // it is gone either way
}
