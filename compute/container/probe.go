package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/guest/agentbin"
)

// probed is the verdict on this host, which does not change while it runs.
type probed struct {
	once   sync.Once
	report compute.Report
}

// Probe does what a launch does, on a disk of its own, in about 0.2 s.
func (d *Driver) Probe(ctx context.Context) compute.Report {
	d.probed.once.Do(func() { d.probed.report = d.probe(ctx) })
	return d.probed.report
}

// check is one ability: what to do, and what helps when it fails.
type check struct {
	name   string
	remedy string
	do     func() (detail string, err error)
}

func (d *Driver) probe(ctx context.Context) compute.Report {
	p := &prober{ctx: ctx, driver: d}
	report := compute.Report{Kind: d.Kind(), OK: true}
	for _, c := range []check{
		{"root", "run ingot as root, or use virtual machines", p.root},
		{"agent", "build ingot with `make build`", p.agent},
		{"disk", "apt-get install qemu-system-common qemu-utils e2fsprogs; modprobe fuse loop", p.disk},
		{"user namespace", "sysctl -w user.max_user_namespaces=65536; Linux 5.12 or newer", p.userNamespace},
		{"cgroup", "mount cgroup2 writable; in a container, run it with --privileged", p.cgroup},
		{"network", "modprobe nf_tables veth; in a container, run it with --privileged", p.network},
		{"forwarding", "iptables -I DOCKER-USER -i " + linkPrefix + "+ -j ACCEPT; iptables -I DOCKER-USER -o " + linkPrefix + "+ -j ACCEPT", p.forwarding},
	} {
		detail, err := c.do()
		f := compute.Finding{Name: c.name, OK: err == nil, Detail: detail}
		if err != nil {
			f.Detail, f.Remedy = err.Error(), c.remedy
		}
		report.Checks = append(report.Checks, f)
		if err != nil {
			report.OK = false
			break // what comes after would fail for the same reason
		}
	}
	if err := p.close(); err != nil {
		report.OK = false
		report.Checks = append(report.Checks, compute.Finding{Name: "clean-up", Detail: err.Error()})
	}
	return report
}

// prober holds what one check leaves for the next.
type prober struct {
	ctx     context.Context
	driver  *Driver
	dir     string
	mounted rootDisk
}

// probeID stands where the id of an instance does, so that Sweep finds what a
// killed probe has left.
const probeID = "probe"

func (p *prober) root() (string, error) {
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("user %d cannot mount disks", os.Geteuid())
	}
	return "running as root", nil
}

func (p *prober) agent() (string, error) {
	size, err := agentbin.Size("linux", runtime.GOARCH)
	return fmt.Sprintf("%d KiB for linux/%s", size>>10, runtime.GOARCH), err
}

// disk makes, exposes and mounts a small one.
func (p *prober) disk() (string, error) {
	var err error
	p.dir = filepath.Join(p.driver.Dir, probeID)
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return "", err
	}
	overlay := filepath.Join(p.dir, "disk.qcow2")
	p.mounted.mount = -1
	if err := p.command("qemu-img", "create", "-q", "-f", "qcow2", overlay, "8M"); err != nil {
		return "", err
	}
	if p.mounted.exposed, err = disk.Expose(p.ctx, overlay, filepath.Join(p.dir, "disk.raw")); err != nil {
		return "", err
	}
	if err := p.command("mkfs.ext4", "-q", p.mounted.exposed.Path); err != nil {
		return "", err
	}
	loop, err := attachLoop(p.mounted.exposed.Path, 0, 8<<20)
	if err != nil {
		return "", err
	}
	defer loop.Close()
	p.mounted.loop = loop.Name()
	p.mounted.mount, err = mountDetached(mountable["ext4"], p.mounted.loop)
	return "qcow2 through FUSE and a loop device to ext4", err
}

func (p *prober) command(name string, args ...string) error {
	out, err := exec.CommandContext(p.ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, out)
	}
	return nil
}

// userNamespace maps the ids of the mounted disk.
func (p *prober) userNamespace() (string, error) {
	cmd := exec.CommandContext(p.ctx, "cat") // holds the namespace until its input ends
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: firstRange, Size: rangeSize}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, Pdeathsig: syscall.SIGKILL,
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("making a user namespace: %w", err)
	}
	defer cmd.Wait()
	defer in.Close()
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(ns)
	m, err := idmapped(p.mounted.mount, ns)
	if err != nil {
		return "", err
	}
	return "idmapped mounts of ext4", unix.Close(m)
}

func (p *prober) cgroup() (string, error) {
	trees, err := findHierarchies("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	c, err := makeCgroup(trees, name(p.driver.Tag, probeID), limits{cpus: 1, memoryMiB: 64, pids: 16}, firstRange)
	if err != nil {
		return "", err
	}
	detail := "all limits in the unified tree"
	if len(c.v1) > 0 {
		detail = "limits in trees of version 1 beside the unified one"
	}
	return detail, c.remove(p.ctx)
}

func (p *prober) network() (string, error) {
	up, err := uplink()
	if err != nil {
		return "", err
	}
	n, err := openNetwork(p.driver.Tag, probeID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s behind %s, MTU %d", n.subnet.prefix, up.Attrs().Name, n.mtu), n.close()
}

// forwarding looks for other people's rules that drop what guests send: a
// chain whose policy is to drop wins over all that accept.
func (p *prober) forwarding() (string, error) {
	c, err := nftables.New()
	if err != nil {
		return "", err
	}
	chains, err := c.ListChains()
	if err != nil {
		return "", fmt.Errorf("listing nftables chains: %w", err)
	}
	for _, ch := range chains {
		if ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward && ch.Type == nftables.ChainTypeFilter &&
			ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop {
			return "", fmt.Errorf("table %s, chain %s drops what it does not know; guests may have no network", ch.Table.Name, ch.Name)
		}
	}
	return "no table drops forwarded packets by default", nil
}

func (p *prober) close() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), closeTimeout)
	defer cancel()
	if p.dir == "" {
		return nil
	}
	return errors.Join(p.mounted.close(ctx), os.RemoveAll(p.dir))
}
