package container

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/agentbin"
)

// Machine is the container's half of a shim.
type Machine struct{}

var _ shim.Child = Machine{}

const (
	// Each instance has a range of user ids of its own, far from people's.
	firstRange = 0x4000_0000
	rangeSize  = 0x1_0000
	ranges     = 0x7000

	setupTimeout = 30 * time.Second // from clone to exec of init
	closeTimeout = 60 * time.Second // to flush a slow disk
	socketName   = "guest.sock"
	sigPowerOff  = syscall.Signal(34 + 4) // SIGRTMIN+4 of the C library; systemd(1)
)

// container is an opened machine.
type container struct {
	place   shim.Place
	first   int // host's id of the guest's root
	disk    *rootDisk
	cgroup  *cgroup
	network *network
	agents  *net.UnixListener
	program []byte // the agent's

	init chan *os.Process // the running init; taken and put back by its users
}

// Open prepares disk, cgroup, network and the agent's socket.
func (Machine) Open(ctx context.Context, p shim.Place) (_ shim.Guest, err error) {
	c := &container{place: p, first: firstID(p.Spec.ID), init: make(chan *os.Process, 1)}
	c.init <- nil
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.program, err = agentbin.Program("linux", runtime.GOARCH); err != nil {
		return nil, err
	}
	if c.disk, err = openDisk(ctx, p.Spec.Disk, p.Dir); err != nil {
		return nil, err
	}
	trees, err := findHierarchies("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	bounds := limits{cpus: p.Spec.CPUs, memoryMiB: p.Spec.MemoryMiB, pids: p.Spec.MaxPIDs}
	if c.cgroup, err = makeCgroup(trees, name(p.Tag, p.Spec.ID), bounds, c.first); err != nil {
		return nil, err
	}
	if c.network, err = openNetwork(p.Tag, p.Spec.ID); err != nil {
		return nil, err
	}
	return c, c.listen()
}

// firstID spreads instances over the ranges; two that meet in one are apart by
// their namespaces still.
func firstID(id string) int {
	sum := sha256.Sum256([]byte(id))
	return firstRange + int(binary.BigEndian.Uint32(sum[:])%ranges)*rangeSize
}

// listen opens the socket that the guest sees as its channel.
func (c *container) listen() error {
	path := filepath.Join(c.place.Runtime, socketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	c.agents = l
	return errors.Join(os.Chmod(path, 0o600), os.Chown(path, c.first, c.first))
}

// Channel waits for the agent to connect.
func (c *container) Channel(ctx context.Context) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { c.agents.SetDeadline(time.Now()) })
	conn, err := c.agents.Accept()
	if !stop() {
		c.agents.SetDeadline(time.Time{}) // for the next boot
	}
	return conn, err
}

// Address is the guest's.
func (c *container) Address() string { return c.network.subnet.guest().String() }

// PowerOff tells systemd, which needs no bus for it.
func (c *container) PowerOff() error {
	p := <-c.init
	defer func() { c.init <- p }()
	if p == nil {
		return errors.New("the guest is not running")
	}
	return p.Signal(sigPowerOff)
}

// Boot runs the guest from its first process to its last.
func (c *container) Boot(ctx context.Context) (shim.End, error) {
	// The kernel kills the guest when the thread that made it ends, so this one
	// stays: if the shim is killed, nothing of the guest is left.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, sock, err := c.clone()
	if err != nil {
		return shim.EndCrashed, fmt.Errorf("starting the guest: %w", err)
	}
	defer sock.Close()
	<-c.init
	c.init <- cmd.Process
	defer func() { <-c.init; c.init <- nil }()
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()

	finish, err := c.setUp(ctx, cmd.Process.Pid, sock)
	if err != nil {
		cmd.Process.Kill()
	}
	waitErr := cmd.Wait()
	// With init every process of its namespace has ended. The cgroup must not be
	// killed as well: Linux kills what is cloned into it after that.
	err = errors.Join(err, finish())
	switch {
	case ctx.Err() != nil:
		return shim.EndCrashed, errors.Join(errors.New("it was killed"), err)
	case err != nil:
		return shim.EndCrashed, fmt.Errorf("starting the guest: %w", err)
	}
	return ending(cmd.ProcessState, waitErr)
}

// ending reads how process 1 ended: the kernel turns a power-off in a pid
// namespace into SIGINT and a restart into SIGHUP. Source: reboot(2).
func ending(s *os.ProcessState, waitErr error) (shim.End, error) {
	if s == nil {
		return shim.EndCrashed, fmt.Errorf("waiting for init: %w", waitErr)
	}
	status := s.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGINT:
		return shim.EndOff, nil
	case status.Signaled() && status.Signal() == syscall.SIGHUP:
		return shim.EndRebooted, nil
	}
	return shim.EndCrashed, fmt.Errorf("init ended: %s", s)
}

// clone starts the first process in its namespaces and its cgroup.
func (c *container) clone() (*exec.Cmd, *net.UnixConn, error) {
	group, err := os.Open(c.cgroup.unified)
	if err != nil {
		return nil, nil, err
	}
	defer group.Close()
	near, far, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	defer far.Close()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: c.first, Size: rangeSize}}
	cmd := shim.ChildCommand(compute.KindContainer)
	cmd.Stderr = os.Stderr // the shim's log, until init takes over
	cmd.ExtraFiles = []*os.File{far}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
			unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential:  &syscall.Credential{}, // root of the namespace: else it has no capabilities
		UseCgroupFD: true, CgroupFD: int(group.Fd()),
		Setsid: true, Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		near.Close()
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w (may other users read and execute %s?)", err, os.Args[0])
		}
		return nil, nil, err
	}
	return cmd, near, nil
}

// setUp does for the new process what only the host's root may, and waits
// until it has become init. finish ends what serves this boot.
func (c *container) setUp(ctx context.Context, pid int, sock *net.UnixConn) (finish func() error, err error) {
	finish = func() error { return nil }
	if err := c.cgroup.add(pid); err != nil {
		return finish, err
	}
	detach, err := c.network.attach(ctx, pid)
	if err != nil {
		return finish, err
	}
	sock.SetDeadline(time.Now().Add(setupTimeout))
	if err := c.sendOrder(sock, pid); err != nil {
		return detach, err
	}
	text, fds, err := receive(sock)
	if err == nil && len(fds) != 1 {
		err = answerError(text)
	}
	if err != nil {
		return detach, fmt.Errorf("waiting for the first process: %w", err)
	}
	console := os.NewFile(uintptr(fds[0]), "console")
	peer, err := openPeer(console)
	if err != nil {
		return func() error { return errors.Join(detach(), console.Close()) }, err
	}
	copied := make(chan error, 1)
	go func() { copied <- copyConsole(c.place.Console, console) }()
	finish = func() error { return errors.Join(detach(), peer.Close(), <-copied, console.Close()) }
	// The socket closes when init is executed; before that it can still fail.
	if text, _, err := receive(sock); err == nil {
		return finish, answerError(text)
	} else if !errors.Is(err, io.EOF) {
		return finish, fmt.Errorf("waiting for init: %w", err)
	}
	return finish, nil
}

func answerError(text []byte) error {
	var a bootAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		return err
	}
	return errors.New(a.Error)
}

// sendOrder passes the order with the mounts and the agent's program.
func (c *container) sendOrder(sock *net.UnixConn, pid int) error {
	fds, err := c.descriptors(pid)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	if err != nil {
		return err
	}
	text, err := json.Marshal(bootOrder{
		Hostname: hostname(c.place.Spec),
		Agent:    guest.AgentConfig{Channel: "unix:" + channelPath, Token: c.place.Spec.Token},
		Address:  netip.PrefixFrom(c.network.subnet.guest(), c.network.subnet.prefix.Bits()),
		Gateway:  c.network.subnet.host(),
		RunBytes: int64(c.place.Spec.MemoryMiB) << 20 / 4,
	})
	if err != nil {
		return err
	}
	if _, _, err := sock.WriteMsgUnix(text, unix.UnixRights(fds...), nil); err != nil {
		return fmt.Errorf("sending the order: %w", err)
	}
	return nil
}

// descriptors makes what the first process cannot: the image's mount with its
// ids mapped, the agent's socket as a mount, and the agent's program in memory.
func (c *container) descriptors(pid int) (fds []int, err error) {
	userns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the guest's user namespace: %w", err)
	}
	defer unix.Close(userns)
	root, err := idmapped(c.disk.mount, userns)
	if err != nil {
		return nil, err
	}
	fds = append(fds, root)
	socket := filepath.Join(c.place.Runtime, socketName)
	channel, err := unix.OpenTree(unix.AT_FDCWD, socket, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fds, fmt.Errorf("taking the agent's socket: %w", err)
	}
	fds = append(fds, channel)
	memory, err := unix.MemfdCreate("ingot-agent", unix.MFD_CLOEXEC)
	if err != nil {
		return fds, fmt.Errorf("copying the agent: %w", err)
	}
	fds = append(fds, memory)
	return fds, fill(memory, c.program)
}

// fill writes data and rewinds; it leaves the descriptor open.
func fill(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			return fmt.Errorf("copying the agent: %w", err)
		}
		data = data[n:]
	}
	_, err := unix.Seek(fd, 0, io.SeekStart)
	return err
}

func hostname(s compute.Spec) string {
	if s.Hostname != "" {
		return s.Hostname
	}
	return s.ID
}

// Close takes everything away that is there.
func (c *container) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	if c.agents != nil {
		errs = append(errs, c.agents.Close())
	}
	if c.cgroup != nil {
		errs = append(errs, c.cgroup.remove(ctx))
	}
	if c.network != nil {
		errs = append(errs, c.network.close())
	}
	if c.disk != nil {
		errs = append(errs, c.disk.close(ctx))
	}
	return errors.Join(errs...)
}
