package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// findResolvers returns the host's name servers as a guest can reach them. Where
// there are only some on the host's loopback, one of those is to be relayed.
// root is "/", or a test's.
func findResolvers(root string) (reach []netip.Addr, relay netip.Addr, err error) {
	// The second file is what systemd-resolved itself asks.
	for _, name := range []string{"etc/resolv.conf", "run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if ignoreMissing(err) != nil {
			return nil, relay, err
		}
		for _, a := range parseResolvers(string(text)) {
			switch {
			case a.IsLoopback():
				relay = a
			case a.Is4():
				reach = append(reach, a)
			}
		}
		if len(reach) > 0 {
			return reach, netip.Addr{}, nil
		}
	}
	return nil, relay, nil
}

func parseResolvers(text string) []netip.Addr {
	var list []netip.Addr
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			list = append(list, a.WithZone("").Unmap())
		}
	}
	return list
}

// relay passes name requests of the guest on to a resolver on the host's loopback.
type relay struct {
	udp *net.UDPConn
	tcp *net.TCPListener
	to  string
}

const (
	relayTimeout = 5 * time.Second // what resolvers wait themselves
	maxRelayed   = 64              // requests under way; more are dropped, as UDP may
	maxDatagram  = 64 << 10
)

func newRelay(at, to netip.Addr) (*relay, error) {
	addr := netip.AddrPortFrom(at, 53)
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, fmt.Errorf("relaying name requests: %w", err)
	}
	tcp, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("relaying name requests: %w", err), udp.Close())
	}
	return &relay{udp: udp, tcp: tcp, to: netip.AddrPortFrom(to, 53).String()}, nil
}

// serve relays until ctx ends, and waits for what is under way.
func (r *relay) serve(ctx context.Context) {
	var all sync.WaitGroup
	slots := make(chan struct{}, maxRelayed)
	start := func(work func()) bool {
		select {
		case slots <- struct{}{}:
			all.Go(func() { work(); <-slots })
			return true
		default:
			return false
		}
	}
	all.Go(func() { <-ctx.Done(); r.udp.Close(); r.tcp.Close() })
	all.Go(func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := r.udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return // closed
			}
			query := append([]byte(nil), buf[:n]...)
			start(func() { r.datagram(ctx, query, from) })
		}
	})
	for {
		conn, err := r.tcp.Accept()
		if err != nil {
			break // closed
		}
		if !start(func() { r.stream(ctx, conn) }) {
			conn.Close()
		}
	}
	all.Wait()
}

// datagram relays one request and its answer. An error is a lost packet.
func (r *relay) datagram(ctx context.Context, query []byte, from netip.AddrPort) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", r.to)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(relayTimeout))
	if _, err := conn.Write(query); err != nil {
		return
	}
	buf := make([]byte, maxDatagram)
	if n, err := conn.Read(buf); err == nil {
		r.udp.WriteToUDPAddrPort(buf[:n], from)
	}
}

// stream relays one connection, which may live as long as a request may take.
func (r *relay) stream(ctx context.Context, guest net.Conn) {
	defer guest.Close()
	host, err := new(net.Dialer).DialContext(ctx, "tcp", r.to)
	if err != nil {
		return
	}
	defer host.Close()
	deadline := time.Now().Add(relayTimeout)
	guest.SetDeadline(deadline)
	host.SetDeadline(deadline)
	done := make(chan struct{})
	go func() { io.Copy(host, guest); close(done) }()
	io.Copy(guest, host)
	guest.Close()
	<-done
}
