package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ingot.dev/ingot/guest"
)

const (
	guestLink   = "eth0"
	channelPath = guest.RunDirectory + "/channel"
	initSocket  = 3 // descriptor of the first process's end
)

// bootOrder is what the shim tells the guest's first process. With it come
// descriptors: the root mount, the channel's socket as a mount, the agent's program.
type bootOrder struct {
	Hostname string            `json:"hostname"`
	Agent    guest.AgentConfig `json:"agent"`
	Address  netip.Prefix      `json:"address"`
	Gateway  netip.Addr        `json:"gateway"`
	RunBytes int64             `json:"runBytes"` // size of the guest's /run
}

// bootAnswer is what comes back: an error, or nothing and the console's descriptor.
type bootAnswer struct {
	Error string `json:"error,omitempty"`
}

// Child is the guest's first process, in new namespaces already and root of
// its own only, until it becomes the image's init.
func (Machine) Child() error {
	// What is unshared below belongs to this thread, which executes init.
	runtime.LockOSThread()
	unix.CloseOnExec(initSocket)
	sock, err := unixConn(initSocket, "shim")
	if err != nil {
		return err
	}
	order, fds, err := receiveOrder(sock)
	if err != nil {
		return err
	}
	console, err := enter(order, fds)
	if err == nil {
		err = sendConsole(sock, console)
	}
	if err == nil {
		err = becomeInit(order.Hostname)
	}
	text, jerr := json.Marshal(bootAnswer{Error: err.Error()})
	_, werr := sock.Write(text)
	return errors.Join(err, jerr, werr)
}

func receiveOrder(sock *net.UnixConn) (bootOrder, []int, error) {
	var order bootOrder
	text, fds, err := receive(sock)
	if err == nil && len(fds) != 3 {
		err = fmt.Errorf("got %d descriptors, want 3", len(fds))
	}
	if err == nil {
		err = json.Unmarshal(text, &order)
	}
	if err != nil {
		return order, nil, fmt.Errorf("receiving the order: %w", err)
	}
	return order, fds, nil
}

// enter makes the image's root this process's root, with the file systems that
// an init expects, and returns the other end of its console. Paths are resolved
// after the root has changed: links in the image lead nowhere else.
func enter(o bootOrder, fds []int) (console *os.File, err error) {
	root, channel, agent := fds[0], fds[1], os.NewFile(uintptr(fds[2]), "agent")
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return nil, fmt.Errorf("leaving the host's cgroup namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return nil, fmt.Errorf("leaving the host's mounts: %w", err)
	}
	devices, err := copyDevices()
	if err != nil {
		return nil, err
	}
	oldRoot, err := changeRoot(root)
	if err != nil {
		return nil, err
	}
	steps := []func() error{
		func() error { return mountAll(o.RunBytes) },
		func() error { return placeDevices(devices) },
		func() error { return installAgent(o.Agent, channel, agent) },
		silence,
		func() error { return leaveRoot(oldRoot) },
		func() error { return configureLink(o) },
		func() error { return unix.Sethostname([]byte(o.Hostname)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return openConsole()
}

// changeRoot makes a detached mount the root. The old one lies over it until
// leaveRoot: the kernel lets a user namespace mount proc and sysfs only while
// it sees whole ones.
func changeRoot(root int) (old int, err error) {
	const at = "/tmp" // any folder that a host surely has; nobody else sees this mount
	if err := unix.MoveMount(root, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return -1, fmt.Errorf("mounting the image: %w", err)
	}
	old, err = unix.Open("/", unix.O_DIRECTORY|unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Chdir(at); err != nil {
		return -1, err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return -1, fmt.Errorf("changing to the image's root: %w", err)
	}
	return old, unix.Chdir("/")
}

func leaveRoot(old int) error {
	defer unix.Close(old)
	if err := unix.Fchdir(old); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the host's root: %w", err)
	}
	return unix.Chdir("/")
}

// mountAll mounts what an init expects to find. In the order of this list.
func mountAll(runBytes int64) error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []struct {
		target, fstype string
		flags          uintptr
		data           string
	}{
		{"/proc", "proc", quiet, ""},
		{"/sys", "sysfs", quiet | unix.MS_RDONLY, ""},
		{"/sys/fs/cgroup", "cgroup2", quiet, ""},
		{"/dev", "tmpfs", unix.MS_NOSUID | unix.MS_STRICTATIME, "mode=755,size=1m,nr_inodes=4096"},
		{"/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"/dev/mqueue", "mqueue", quiet, ""},
		{"/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755,size=" + strconv.FormatInt(runBytes, 10)},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := unix.Mount(m.fstype, m.target, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	return nil
}

// devices are the nodes that a guest gets: none of them leads to hardware. It
// cannot make others, and those in its image have no power.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// copyDevices takes the host's nodes as mounts, before its root is left.
func copyDevices() (map[string]int, error) {
	fds := map[string]int{}
	for _, d := range devices {
		fd, err := unix.OpenTree(unix.AT_FDCWD, "/dev/"+d, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return nil, fmt.Errorf("taking /dev/%s: %w", d, err)
		}
		fds[d] = fd
	}
	return fds, nil
}

func placeDevices(fds map[string]int) error {
	for d, fd := range fds {
		if err := placeFile(fd, "/dev/"+d); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx", "core": "/proc/kcore",
	} {
		if err := os.Symlink(target, "/dev/"+link); err != nil {
			return err
		}
	}
	return nil
}

// placeFile mounts a detached file over a new empty one.
func placeFile(fd int, path string) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mounting %s: %w", path, err)
	}
	return unix.Close(fd)
}

func installAgent(cfg guest.AgentConfig, channel int, program *os.File) error {
	defer program.Close()
	if err := guest.Install("/run", cfg, program); err != nil {
		return err
	}
	return placeFile(channel, channelPath)
}

// silence keeps units of the image from running that fail in a container or
// would wait for what it has not. They are masked below /run: the image is as it was.
func silence() error {
	const units, generators = "/run/systemd/system", "/run/systemd/system-generators"
	if err := errors.Join(os.MkdirAll(units, 0o755), os.MkdirAll(generators, 0o755)); err != nil {
		return err
	}
	masks := []string{
		units + "/systemd-remount-fs.service", // remounts what another namespace owns
		// cloud-init would make this instance the image's first; its generator alone enables it.
		generators + "/cloud-init-generator",
	}
	for _, m := range masks {
		if err := os.Symlink("/dev/null", m); err != nil {
			return fmt.Errorf("masking %s: %w", filepath.Base(m), err)
		}
	}
	return nil
}

// configureLink gives the guest its address at once. Its own network set-up
// finds the same one by DHCP; an image that has none is still connected.
func configureLink(o bootOrder) error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("starting lo: %w", err)
	}
	eth, err := netlink.LinkByName(guestLink)
	if err != nil {
		return fmt.Errorf("finding %s: %w", guestLink, err)
	}
	ipnet := &net.IPNet{IP: o.Address.Addr().AsSlice(), Mask: net.CIDRMask(o.Address.Bits(), 32)}
	if err := netlink.AddrAdd(eth, &netlink.Addr{IPNet: ipnet}); err != nil {
		return fmt.Errorf("giving %s its address: %w", guestLink, err)
	}
	if err := netlink.LinkSetUp(eth); err != nil {
		return fmt.Errorf("starting %s: %w", guestLink, err)
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: o.Gateway.AsSlice()}); err != nil {
		return fmt.Errorf("adding the default route: %w", err)
	}
	return nil
}

// becomeInit executes the image's init; it returns only with an error.
func becomeInit(hostname string) error {
	path, err := findInit()
	if err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if err := confine(); err != nil {
		return err
	}
	env := []string{"container=ingot", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb"}
	// In a container systemd and cloud-init read these as the kernel's command line.
	args := []string{path, "systemd.hostname=" + hostname, "cloud-init=disabled"}
	return fmt.Errorf("executing %s: %w", path, syscall.Exec(path, args, env))
}

func findInit() (string, error) {
	for _, path := range []string{"/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("the image has no init: neither /sbin/init nor systemd is there")
}
