package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is a guest's way out: a veth pair per boot, rules and a subnet for
// the life of the instance.
type network struct {
	subnet    *subnet
	link      string // the host's end
	table     string
	mtu       int
	resolvers []netip.Addr // what the guest is told
	relay     netip.Addr   // the host's resolver on loopback, if it has no other
}

// uplink is the interface that the default route leaves by.
func uplink() (netlink.Link, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			return netlink.LinkByIndex(r.LinkIndex)
		}
	}
	return nil, errors.New("the host has no default route")
}

// openNetwork reserves a subnet and sets up the rules. A host without a
// default route gives its guests an address and no way out.
func openNetwork(tag, id string) (*network, error) {
	n := &network{link: linkName(tag, id), table: name(tag, id), mtu: 1500}
	if up, err := uplink(); err == nil {
		n.mtu = up.Attrs().MTU
	}
	var err error
	if n.subnet, err = takeSubnet(); err != nil {
		return nil, err
	}
	if n.resolvers, n.relay, err = findResolvers("/"); err == nil && n.relay.IsValid() {
		n.resolvers = []netip.Addr{n.subnet.host()}
	}
	if err == nil {
		err = enableForwarding()
	}
	if err == nil {
		err = n.addRules()
	}
	if err != nil {
		return nil, errors.Join(err, n.subnet.close())
	}
	return n, nil
}

// enableForwarding lets the host route. It stays on: others may rely on it by then.
func enableForwarding() error {
	const path = "/proc/sys/net/ipv4/ip_forward"
	if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == "1" {
		return nil
	}
	if err := os.WriteFile(path, []byte("1"), 0); err != nil {
		return fmt.Errorf("enabling IPv4 forwarding: %w", err)
	}
	return nil
}

// attach joins a new network namespace to the host; the guest's end is eth0
// there. The returned function ends the services of the boot.
func (n *network) attach(ctx context.Context, pid int) (detach func() error, err error) {
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: n.link, MTU: n.mtu, TxQLen: 1000},
		PeerName:  guestLink, PeerMTU: uint32(n.mtu), PeerTxQLen: 1000, PeerNamespace: netlink.NsPid(pid),
	}
	if err := n.removeLink(); err != nil { // of the boot before
		return nil, err
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("making interface %s: %w", n.link, err)
	}
	if err := netlink.LinkSetAlias(veth, n.table); err != nil { // tells people whose it is
		return nil, fmt.Errorf("naming %s: %w", n.link, err)
	}
	// Without IPv6 on the link there is no second way to the host to guard.
	noIPv6 := "/proc/sys/net/ipv6/conf/" + n.link + "/disable_ipv6"
	if err := ignoreMissing(os.WriteFile(noIPv6, []byte("1"), 0)); err != nil {
		return nil, fmt.Errorf("disabling IPv6 on %s: %w", n.link, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: n.subnet.host().AsSlice(), Mask: net.CIDRMask(30, 32)}}
	if err := netlink.AddrAdd(veth, addr); err != nil {
		return nil, fmt.Errorf("giving %s its address: %w", n.link, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return nil, fmt.Errorf("starting %s: %w", n.link, err)
	}
	return n.serve(ctx)
}

// serve answers the guest's questions for an address and names.
func (n *network) serve(ctx context.Context) (func() error, error) {
	ctx, cancel := context.WithCancel(ctx)
	lease, err := newLease(n)
	if err != nil {
		cancel()
		return nil, err
	}
	var services sync.WaitGroup
	services.Go(func() { lease.Serve() }) // ends with Close
	if n.relay.IsValid() {
		r, err := newRelay(n.subnet.host(), n.relay)
		if err != nil {
			cancel()
			return nil, errors.Join(err, lease.Close())
		}
		services.Go(func() { r.serve(ctx) })
	}
	return func() error {
		cancel()
		err := lease.Close()
		services.Wait()
		return errors.Join(err, n.removeLink())
	}, nil
}

// removeLink removes both ends. The kernel does so too when the guest's
// namespace ends, a moment later.
func (n *network) removeLink() error { return removeLink(n.link) }

func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) { // gone between the two
		return fmt.Errorf("removing interface %s: %w", name, err)
	}
	return nil
}

func (n *network) close() error {
	return errors.Join(n.removeLink(), removeTable(n.table), n.subnet.close())
}

// removeTable removes an instance's rules, if they are there.
func removeTable(name string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("opening nftables: %w", err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return fmt.Errorf("listing nftables: %w", err)
	}
	for _, t := range tables {
		if t.Name == name {
			c.DelTable(t)
		}
	}
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("removing nftables table %s: %w", name, err)
	}
	return nil
}

// tablesOf are the instances of a tag that have a table.
func tablesOf(tag string) ([]string, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("listing nftables: %w", err)
	}
	var ids []string
	for _, t := range tables {
		if id, ok := strings.CutPrefix(t.Name, name(tag, "")); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// addRules makes the instance's table:
//
//	postrouting  what the guest sends leaves under the host's address
//	forward      the guest speaks for itself only, not to other guests and not to link-local
//	             addresses, where clouds keep their hosts' credentials; nobody opens a connection to it
//	input        the host answers pings, address and name requests, and nothing else
func (n *network) addRules() error {
	if err := removeTable(n.table); err != nil { // of a killed shim
		return err
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("opening nftables: %w", err)
	}
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: n.table})
	accept, drop := verdict(expr.VerdictAccept), verdict(expr.VerdictDrop)
	from, to := linkIs(expr.MetaKeyIIFNAME, n.link), linkIs(expr.MetaKeyOIFNAME, n.link)
	guest := netip.PrefixFrom(n.subnet.guest(), 32)
	known := connectionState(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)

	add := func(chain *nftables.Chain, rules ...[]expr.Any) {
		for _, r := range rules {
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: r})
		}
	}
	add(chain(c, t, "postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource),
		rule(source(guest, expr.CmpOpEq), []expr.Any{&expr.Masq{}}))
	add(chain(c, t, "forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter),
		rule(from, family(unix.NFPROTO_IPV6), drop),
		rule(from, source(guest, expr.CmpOpNeq), drop),
		rule(from, destination(netip.MustParsePrefix("169.254.0.0/16")), drop),
		rule(from, otherGuest(), drop),
		rule(to, known, accept),
		rule(to, drop))
	add(chain(c, t, "input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter),
		rule(from, known, accept),
		rule(from, protocol(unix.IPPROTO_ICMP), accept),
		rule(from, protocol(unix.IPPROTO_UDP), port(67), accept),
		rule(from, protocol(unix.IPPROTO_UDP), port(53), accept),
		rule(from, protocol(unix.IPPROTO_TCP), port(53), accept),
		rule(from, drop))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("adding nftables table %s: %w", n.table, err)
	}
	return nil
}

func chain(c *nftables.Conn, t *nftables.Table, name string, kind nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) *nftables.Chain {
	return c.AddChain(&nftables.Chain{Table: t, Name: name, Type: kind, Hooknum: hook, Priority: prio})
}

func rule(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func verdict(k expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: k}} }

func compare(op expr.CmpOp, data []byte) *expr.Cmp {
	return &expr.Cmp{Op: op, Register: 1, Data: data}
}

// linkIs matches a whole interface name: the kernel compares 16 bytes.
func linkIs(key expr.MetaKey, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, compare(expr.CmpOpEq, padded)}
}

// otherGuest matches packets that would leave towards any instance of any installation.
func otherGuest() []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, compare(expr.CmpOpEq, []byte(linkPrefix))}
}

func family(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, compare(expr.CmpOpEq, []byte{proto})}
}

func protocol(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, compare(expr.CmpOpEq, []byte{proto})}
}

// port matches the destination port, at byte 2 of a UDP or TCP header.
func port(n uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		compare(expr.CmpOpEq, binaryutil.BigEndian.PutUint16(n)),
	}
}

// source and destination match the addresses at bytes 12 and 16 of an IPv4 header.
func source(p netip.Prefix, op expr.CmpOp) []expr.Any { return address(12, p, op) }

func destination(p netip.Prefix) []expr.Any { return address(16, p, expr.CmpOpEq) }

func address(offset uint32, p netip.Prefix, op expr.CmpOp) []expr.Any {
	return rule(family(unix.NFPROTO_IPV4), []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: net.CIDRMask(p.Bits(), 32), Xor: make([]byte, 4)},
		compare(op, p.Addr().AsSlice()),
	})
}

func connectionState(bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		compare(expr.CmpOpNeq, make([]byte, 4)),
	}
}
