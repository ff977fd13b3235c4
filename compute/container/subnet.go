package container

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// subnetLock is the same file for all installations of a host. Whoever holds
// byte N of it has subnet N of the pools; the kernel lets go of it with the process.
const subnetLock = "/run/lock/ingot-subnets"

// pools are private ranges that few hosts use; the first free /30 wins.
var pools = []netip.Prefix{
	netip.MustParsePrefix("10.213.0.0/16"),
	netip.MustParsePrefix("172.30.128.0/17"),
	netip.MustParsePrefix("192.168.213.0/24"),
}

// subnet is four addresses: network, host, guest, broadcast.
type subnet struct {
	prefix netip.Prefix
	held   *os.File
}

func (s *subnet) host() netip.Addr  { return s.prefix.Addr().Next() }
func (s *subnet) guest() netip.Addr { return s.host().Next() }
func (s *subnet) close() error      { return s.held.Close() }

// takeSubnet reserves a subnet that nobody else holds and that the host has no
// other way to.
func takeSubnet() (*subnet, error) {
	if err := os.MkdirAll(filepath.Dir(subnetLock), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(subnetLock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	routes, err := routedPrefixes()
	if err != nil {
		f.Close()
		return nil, err
	}
	for n, p := range candidates(routes) {
		ok, err := lockByte(f, int64(n))
		if err != nil {
			f.Close()
			return nil, err
		}
		if ok {
			return &subnet{prefix: p, held: f}, nil
		}
	}
	f.Close()
	return nil, fmt.Errorf("no subnet is free: the host has routes into all of %v", pools)
}

// candidates yields the numbered /30 subnets that overlap no route.
func candidates(routes []netip.Prefix) func(yield func(int, netip.Prefix) bool) {
	return func(yield func(int, netip.Prefix) bool) {
		n := 0
		for _, pool := range pools {
			base := binary.BigEndian.Uint32(pool.Addr().AsSlice())
			for i := range uint32(1) << (30 - pool.Bits()) {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, base+4*i))), 30)
				if !overlaps(p, routes) && !yield(n, p) {
					return
				}
				n++
			}
		}
	}
}

func overlaps(p netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}

// routedPrefixes is where the host has a route to, the default one aside.
func routedPrefixes() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	var list []netip.Prefix
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		if addr, ok := netip.AddrFromSlice(r.Dst.IP.To4()); ok && ones > 0 {
			list = append(list, netip.PrefixFrom(addr, ones))
		}
	}
	return list, nil
}

func lockByte(f *os.File, at int64) (bool, error) {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{
		Type: unix.F_WRLCK, Whence: io.SeekStart, Start: at, Len: 1,
	})
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	return err == nil, err
}
