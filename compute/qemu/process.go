package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute/shim"
)

const (
	greetLimit = 30 * time.Second // for QEMU to answer on its monitor, on a busy host
	quitLimit  = 30 * time.Second // to close the disk and end
	// panicGrace lets the rest of a panic's report reach the console.
	panicGrace = time.Second
)

// process is one run of QEMU.
type process struct {
	cmd     *exec.Cmd
	monitor *monitor
	console *console
	stderr  tail
	copied  chan error    // the console's end
	ended   chan struct{} // QEMU is gone; waitErr says how
	waitErr error

	mu       sync.Mutex
	reason   string        // of the SHUTDOWN event
	shutdown chan struct{} // closed with the first such event
}

// startProcess starts QEMU and greets its monitor. After an error nothing runs.
func startProcess(ctx context.Context, c Command, place shim.Place) (*process, error) {
	p := &process{copied: make(chan error, 1), ended: make(chan struct{}), shutdown: make(chan struct{})}
	control, err := p.spawn(c, place)
	if err != nil {
		return nil, err
	}
	greet, cancel := context.WithTimeout(ctx, greetLimit)
	defer cancel()
	p.monitor, err = openMonitor(greet, control, p.event)
	if err != nil {
		p.kill()
		if said := p.stderr.String(); said != "" {
			err = errors.New(lastLine(said, err)) // its own words say more
		}
		return nil, errors.Join(err, <-p.copied)
	}
	return p, nil
}

// spawn makes QEMU's sockets and pipes and starts it. It returns our end of the monitor.
func (p *process) spawn(c Command, place shim.Place) (net.Conn, error) {
	var files []*os.File // QEMU's own, ours to close
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	agent, err := listenAgent(agentSocket(place.Runtime))
	if err != nil {
		return nil, err
	}
	files = append(files, agent)
	control, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	files = append(files, theirs)
	out, in, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, control.Close())
	}
	files = append(files, in)
	if p.console, err = openConsole(place.Console); err != nil {
		return nil, errors.Join(err, control.Close(), out.Close())
	}
	c.AgentFD, c.MonitorFD = 3, 4 // the first of ExtraFiles is 3
	args := Cmdline(c)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir = "/"
	p.cmd.Stdout, p.cmd.Stderr = in, &p.stderr
	p.cmd.ExtraFiles = []*os.File{agent, theirs}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := p.start(); err != nil {
		return nil, errors.Join(err, control.Close(), out.Close(), p.console.file.Close())
	}
	go func() { p.copied <- errors.Join(p.console.copy(out), out.Close()) }()
	return control, nil
}

// start runs the command on a thread that stays until it has ended: QEMU is
// killed when the thread that started it goes.
func (p *process) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.waitErr = p.cmd.Wait()
			close(p.ended)
		}
	}()
	return <-started
}

// listenAgent makes the socket to which the agent's port is connected. QEMU
// inherits it listening, so nobody can come too early.
func listenAgent(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening for the agent's port: %w", err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	return f, errors.Join(err, l.Close())
}

// socketPair makes the connected socket of the monitor: it has no name, so
// nobody else can reach it.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making the monitor's socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

// event keeps the first reason why the guest ended.
func (p *process) event(e event) {
	if e.Name != "SHUTDOWN" {
		return
	}
	var data struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(e.Data, &data) != nil || data.Reason == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == "" {
		p.reason = data.Reason
		close(p.shutdown)
	}
}

// wait returns when QEMU has ended, and how the boot did.
func (p *process) wait(ctx context.Context) (shim.End, error) {
	select {
	case <-p.shutdown:
		p.quit(ctx)
	case <-p.console.panicked:
		p.allow(ctx, panicGrace)
	case <-p.ended:
	case <-ctx.Done():
	}
	p.kill()
	err := errors.Join(p.monitor.close(), <-p.copied)
	end, why := p.verdict(ctx)
	return end, errors.Join(why, err)
}

// quit ends a QEMU whose guest has ended; it closes the disk first.
func (p *process) quit(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, quitLimit)
	defer cancel()
	// QEMU may close the connection before it answers; kill follows either way.
	_ = p.monitor.execute(limited, "quit")
	p.allow(limited, quitLimit)
}

// allow waits for QEMU's end, but not longer than limit.
func (p *process) allow(ctx context.Context, limit time.Duration) {
	select {
	case <-p.ended:
	case <-time.After(limit):
	case <-ctx.Done():
	}
}

// kill ends QEMU's process group, if it has not ended, and waits for that.
func (p *process) kill() {
	select {
	case <-p.ended:
	default:
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL) // fails only when it has just ended
	}
	<-p.ended
}

// verdict says how the boot ended. Reasons are those of QEMU's ShutdownCause.
func (p *process) verdict(ctx context.Context) (shim.End, error) {
	p.mu.Lock()
	reason := p.reason
	p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return shim.EndCrashed, errors.New("the instance was killed")
	case p.console.hasPanicked():
		return shim.EndCrashed, fmt.Errorf("the guest's kernel panicked: %s", p.console.why())
	case reason == "guest-shutdown" && p.waitErr != nil:
		return shim.EndCrashed, fmt.Errorf("QEMU did not close the disk: %s", lastLine(p.stderr.String(), p.waitErr))
	case reason == "guest-shutdown":
		return shim.EndOff, nil
	case reason == "guest-reset":
		return shim.EndRebooted, nil
	case reason != "":
		return shim.EndCrashed, fmt.Errorf("QEMU ended the guest: %s", reason)
	}
	return shim.EndCrashed, fmt.Errorf("QEMU died: %s", lastLine(p.stderr.String(), p.waitErr))
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > tailSize {
		t.buf = append([]byte(nil), t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
