package container

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
)

func testNetwork() *network {
	return &network{
		subnet: &subnet{prefix: netip.MustParsePrefix("10.213.0.8/30")}, mtu: 1400,
		resolvers: []netip.Addr{netip.MustParseAddr("192.0.2.53")},
	}
}

func TestOffer(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	n := testNetwork()
	for _, tt := range []struct {
		ask   dhcpv4.MessageType
		want  string // requested address
		reply dhcpv4.MessageType
		yours string
	}{
		{dhcpv4.MessageTypeDiscover, "", dhcpv4.MessageTypeOffer, "10.213.0.10"},
		{dhcpv4.MessageTypeRequest, "10.213.0.10", dhcpv4.MessageTypeAck, "10.213.0.10"},
		{dhcpv4.MessageTypeRequest, "192.168.1.7", dhcpv4.MessageTypeNak, "0.0.0.0"},
		{dhcpv4.MessageTypeRelease, "", dhcpv4.MessageTypeNone, ""},
	} {
		m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(tt.ask))
		if err != nil {
			t.Fatal(err)
		}
		if tt.want != "" {
			m.UpdateOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(tt.want)))
		}
		got, err := n.offer(m)
		if err != nil {
			t.Fatal(err)
		}
		if tt.reply == dhcpv4.MessageTypeNone {
			if got != nil {
				t.Errorf("%s was answered: %s", tt.ask, got)
			}
			continue
		}
		if got.MessageType() != tt.reply || got.YourIPAddr.String() != tt.yours {
			t.Errorf("%s %s = %s %s, want %s %s", tt.ask, tt.want, got.MessageType(), got.YourIPAddr, tt.reply, tt.yours)
		}
		if tt.reply == dhcpv4.MessageTypeAck && (got.Router()[0].String() != "10.213.0.9" || got.DNS()[0].String() != "192.0.2.53" ||
			!bytes.Equal(got.Options.Get(dhcpv4.OptionInterfaceMTU), []byte{0x05, 0x78})) {
			t.Errorf("the lease is incomplete: %s", got.Summary())
		}
	}
}

func FuzzOffer(f *testing.F) {
	m, err := dhcpv4.NewDiscovery(net.HardwareAddr{2, 0, 0, 0, 0, 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.ToBytes())
	n := testNetwork()
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := dhcpv4.FromBytes(packet)
		if err != nil {
			return
		}
		reply, err := n.offer(m)
		if err == nil && reply != nil && reply.MessageType() != dhcpv4.MessageTypeNak && !reply.YourIPAddr.Equal(n.subnet.guest().AsSlice()) {
			t.Fatalf("the guest was given %s", reply.YourIPAddr)
		}
	})
}

func TestCandidates(t *testing.T) {
	first := func(routes ...string) string {
		var list []netip.Prefix
		for _, r := range routes {
			list = append(list, netip.MustParsePrefix(r))
		}
		for n, p := range candidates(list) {
			if n < 0 || p.Bits() != 30 {
				t.Errorf("candidate %d is %s", n, p)
			}
			return p.String()
		}
		return "none"
	}
	for _, tt := range []struct{ routes, want string }{
		{"192.168.0.0/24", "10.213.0.0/30"},
		{"10.213.0.0/29", "10.213.0.8/30"},
		{"10.0.0.0/8", "172.30.128.0/30"},
		{"10.0.0.0/8 172.16.0.0/12", "192.168.213.0/30"},
		{"10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "none"},
	} {
		if got := first(strings.Fields(tt.routes)...); got != tt.want {
			t.Errorf("with routes to %s: %s, want %s", tt.routes, got, tt.want)
		}
	}
	seen := map[int]bool{}
	for n := range candidates(nil) {
		if seen[n] {
			t.Fatalf("number %d twice", n)
		}
		seen[n] = true
	}
}

func TestFindResolvers(t *testing.T) {
	for _, tt := range []struct {
		name, resolv, resolved string
		reach                  []string
		relay                  string
	}{
		{"plain", "# x\nnameserver 192.0.2.1\nsearch a\nnameserver 192.0.2.2\n", "", []string{"192.0.2.1", "192.0.2.2"}, ""},
		{"stub with upstreams", "nameserver 127.0.0.53\n", "nameserver 192.0.2.3\n", []string{"192.0.2.3"}, ""},
		{"own resolver", "nameserver 127.0.0.1\n", "", nil, "127.0.0.1"},
		{"IPv6 only", "nameserver 2001:db8::1\n", "", nil, ""},
		{"nothing", "", "", nil, ""},
	} {
		root := t.TempDir()
		write(t, filepath.Join(root, "etc/resolv.conf"), tt.resolv)
		if tt.resolved != "" {
			write(t, filepath.Join(root, "run/systemd/resolve/resolv.conf"), tt.resolved)
		}
		reach, relay, err := findResolvers(root)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range reach {
			got = append(got, a.String())
		}
		if diff := cmp.Diff(tt.reach, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if (relay.IsValid() || tt.relay != "") && relay.String() != tt.relay {
			t.Errorf("%s: relay %s, want %q", tt.name, relay, tt.relay)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindHierarchies(t *testing.T) {
	const hybrid = `29 22 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
30 29 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw
31 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
32 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
`
	path := filepath.Join(t.TempDir(), "mountinfo")
	write(t, path, hybrid)
	h, err := findHierarchies(path)
	if err != nil {
		t.Fatal(err)
	}
	if h.unified != "/sys/fs/cgroup/unified" || h.v1["cpu"] != "/sys/fs/cgroup/cpu,cpuacct" || h.v1["memory"] != "/sys/fs/cgroup/memory" {
		t.Errorf("findHierarchies = %+v", h)
	}
	write(t, path, "32 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
	if _, err := findHierarchies(path); err == nil {
		t.Error("a host without cgroup2: no error")
	}
}

// Limits go where their controllers are: here memory in the unified tree, the others beside it.
func TestLimitsInBothDialects(t *testing.T) {
	root := t.TempDir()
	h := hierarchies{unified: filepath.Join(root, "unified"), v1: map[string]string{
		"cpu": filepath.Join(root, "cpu"), "pids": filepath.Join(root, "pids"),
	}}
	write(t, filepath.Join(h.unified, "cgroup.controllers"), "cpuset memory\n")
	write(t, filepath.Join(h.unified, "cgroup.subtree_control"), "")
	for _, f := range []string{"memory.max", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		write(t, filepath.Join(h.unified, "g", f), "")
	}
	c, err := makeCgroup(h, "g", limits{cpus: 2, memoryMiB: 512, pids: 100}, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range []string{"unified/cgroup.subtree_control", "unified/g/memory.max", "cpu/g/cpu.cfs_quota_us", "pids/g/pids.max"} {
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		got[f] = string(text)
	}
	want := map[string]string{
		"unified/cgroup.subtree_control": "+memory", "unified/g/memory.max": "536870912",
		"cpu/g/cpu.cfs_quota_us": "200000", "pids/g/pids.max": "100",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if err := c.add(4711); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "pids/g/cgroup.procs")); err != nil || string(text) != "4711" {
		t.Errorf("cgroup.procs = %q, %v", text, err)
	}
	h.v1 = nil
	if _, err := makeCgroup(h, "g", limits{cpus: 1, memoryMiB: 64, pids: 1}, os.Getuid()); err == nil {
		t.Error("a host without a processor controller: no error")
	}
}

// verdictOf runs the filter as the kernel would.
func verdictOf(t *testing.T, arch, nr uint32) uint32 {
	t.Helper()
	var a uint32
	prog := filter()
	for pc := 0; pc < len(prog); pc++ {
		switch in := prog[pc]; in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = map[uint32]uint32{dataNumber: nr, dataArch: arch}[in.K]
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			pc += jump(a == in.K, in)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			pc += jump(a >= in.K, in)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d: code %#x", pc, in.Code)
		}
	}
	t.Fatal("the filter does not end with a verdict")
	return 0
}

func jump(taken bool, in unix.SockFilter) int {
	if taken {
		return int(in.Jt)
	}
	return int(in.Jf)
}

func TestFilter(t *testing.T) {
	eperm, enosys := unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM), unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)
	for _, tt := range []struct {
		name     string
		arch, nr uint32
		want     uint32
	}{
		{"read", nativeArch, unix.SYS_READ, unix.SECCOMP_RET_ALLOW},
		{"mount", nativeArch, unix.SYS_MOUNT, unix.SECCOMP_RET_ALLOW},
		{"reboot", nativeArch, unix.SYS_REBOOT, unix.SECCOMP_RET_ALLOW},
		{"bpf", nativeArch, unix.SYS_BPF, eperm},
		{"finit_module", nativeArch, unix.SYS_FINIT_MODULE, eperm},
		{"the last refused", nativeArch, refused[len(refused)-1], eperm},
		{"io_uring_setup", nativeArch, unix.SYS_IO_URING_SETUP, enosys},
		{"read of another architecture", unix.AUDIT_ARCH_I386, unix.SYS_READ, enosys},
	} {
		if got := verdictOf(t, tt.arch, tt.nr); got != tt.want {
			t.Errorf("%s: %#x, want %#x", tt.name, got, tt.want)
		}
	}
	if firstForeign != 0 {
		if got := verdictOf(t, nativeArch, firstForeign|unix.SYS_BPF); got != enosys {
			t.Errorf("x32 bpf: %#x, want %#x", got, enosys)
		}
	}
}

func TestNames(t *testing.T) {
	link := linkName("abcdefgh", "i-0123456789abcdef0")
	if len(link) >= unix.IFNAMSIZ || !strings.HasPrefix(link, linkPrefix) {
		t.Errorf("interface name %q", link)
	}
	for _, tag := range []string{"", "UPPER", "much-too-long", "a/b"} {
		if _, err := New(Config{Tag: tag}); err == nil {
			t.Errorf("New with tag %q: no error", tag)
		}
	}
	if id := firstID("i-0123456789abcdef0"); id < firstRange || id+rangeSize > 1<<31-1 || id%rangeSize != 0 {
		t.Errorf("firstID = %#x", id)
	}
}

func TestLaunchChecksTheSpec(t *testing.T) {
	d := newDriver(t, t.TempDir(), t.TempDir(), "t")
	good := compute.Spec{ID: "i-0123456789abcdef0", CPUs: 1, MemoryMiB: 512, Token: "t"}
	for name, change := range map[string]func(*compute.Spec){
		"firmware": func(s *compute.Spec) { s.Boot = compute.BootUEFI },
		"memory":   func(s *compute.Spec) { s.MemoryMiB = 0 },
		"CPUs":     func(s *compute.Spec) { s.CPUs = 0 },
		"token":    func(s *compute.Spec) { s.Token = "" },
		"forward":  func(s *compute.Spec) { s.Forward = []compute.Forward{{Host: 1, Guest: 2}} },
		"id":       func(s *compute.Spec) { s.ID = "../x" },
	} {
		s := good
		change(&s)
		if _, err := d.Launch(t.Context(), s); err == nil {
			t.Errorf("Launch with a wrong %s: no error", name)
		}
	}
}

func TestConsoleIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console")
	if err := os.WriteFile(path, make([]byte, maxConsole-10), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyConsole(path, strings.NewReader(strings.Repeat("x", 1000))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != maxConsole {
		t.Errorf("the console has %d bytes, %v, want %d", info.Size(), err, maxConsole)
	}
}
