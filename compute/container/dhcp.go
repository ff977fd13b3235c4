package container

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

// leaseTime is longer than any build: a guest need not ask twice.
const leaseTime = 24 * time.Hour

// newLease serves the one address of a subnet on the host's end of the link.
// Images ask for it as they would anywhere, so their own network set-up is
// what gets tested; without an answer some wait a minute at every boot.
func newLease(n *network) (*server4.Server, error) {
	// Bound to the interface, so the wildcard address reaches nobody else. Replies
	// to a guest without an address go to the broadcast address.
	addr := &net.UDPAddr{IP: net.IPv4zero, Port: dhcpv4.ServerPort}
	s, err := server4.NewServer(n.link, addr, func(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
		reply, err := n.offer(m)
		if err != nil || reply == nil {
			return // not a request that a server answers
		}
		conn.WriteTo(reply.ToBytes(), peer) // a lost answer is asked for again
	})
	if err != nil {
		return nil, fmt.Errorf("serving DHCP on %s: %w", n.link, err)
	}
	return s, nil
}

// offer is the answer to a request, or nil for one that wants none.
func (n *network) offer(m *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	if m.OpCode != dhcpv4.OpcodeBootRequest {
		return nil, nil
	}
	var kind dhcpv4.MessageType
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		kind = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
		if want := m.RequestedIPAddress(); want != nil && !want.Equal(n.subnet.guest().AsSlice()) {
			kind = dhcpv4.MessageTypeNak // it remembers another network: it will ask anew
		}
	default:
		return nil, nil
	}
	host := net.IP(n.subnet.host().AsSlice())
	options := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithServerIP(host),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(host)),
	}
	if kind != dhcpv4.MessageTypeNak {
		options = append(options,
			dhcpv4.WithYourIP(n.subnet.guest().AsSlice()),
			dhcpv4.WithNetmask(net.CIDRMask(n.subnet.prefix.Bits(), 32)),
			dhcpv4.WithRouter(host),
			dhcpv4.WithDNS(ips(n.resolvers)...),
			dhcpv4.WithLeaseTime(uint32(leaseTime/time.Second)),
			dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(n.mtu >> 8), byte(n.mtu)}))
	}
	return dhcpv4.NewReplyFromRequest(m, options...)
}

func ips(addrs []netip.Addr) []net.IP {
	var list []net.IP
	for _, a := range addrs {
		list = append(list, a.AsSlice())
	}
	return list
}
