package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// newPipe makes a pipe that only follow watches, not the runtime.
func newPipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1"), nil
}

// follow hands on what a started program prints and waits for its end. At the
// end of ctx it ends the program and its descendants and returns the reason.
//
// One thread does it all: most steps are short, and to wake a thread for each
// pipe and another one for the exit takes longer than what these have to do.
func (p *pipes) follow(ctx context.Context, cmd *exec.Cmd, tree *processTree) error {
	tree.pid = cmd.Process.Pid
	f := follower{pipes: p, cmd: cmd, exited: make(chan struct{})}
	ended := make(chan struct{})
	f.release = context.AfterFunc(ctx, func() {
		tree.end(f.exited, killDelay)
		close(ended)
	})
	err := whenExited(cmd.Process, f.run)
	if !f.cancelled {
		return errors.Join(err, f.err)
	}
	<-ended
	return errors.Join(context.Cause(ctx), err, ignoreExit(f.err))
}

// whenExited calls f with a descriptor that is ready to be read once the
// program has exited, and before anybody has waited for it.
func whenExited(program *os.Process, f func(exit int) error) error {
	var err error
	unknown := program.WithHandle(func(pidfd uintptr) { err = f(int(pidfd)) })
	if !errors.Is(unknown, os.ErrNoHandle) {
		return errors.Join(unknown, err)
	}
	return withExitPipe(program.Pid, f)
}

// withExitPipe is whenExited for kernels before Linux 5.4, which have no
// descriptors of processes.
func withExitPipe(pid int, f func(exit int) error) error {
	r, w, err := newPipe()
	if err != nil {
		return err
	}
	defer r.Close()
	waited := make(chan error)
	go func() {
		var err error = unix.EINTR
		for errors.Is(err, unix.EINTR) {
			err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		}
		w.Close() // nothing was written: there is nothing to lose
		waited <- err
	}()
	err = f(int(r.Fd()))
	return errors.Join(err, <-waited)
}

// follower is the state of follow.
type follower struct {
	*pipes
	cmd       *exec.Cmd
	release   func() bool   // lets go of ctx; false: it has ended
	exited    chan struct{} // closed when the program is gone
	err       error         // of the program
	cancelled bool
	cut       time.Time // when the pipes are given up; zero: the program lives
}

// run reads until the program is gone and its pipes are closed.
func (f *follower) run(exit int) error {
	buffer := chunks.Get().(*[maxLine]byte)
	defer chunks.Put(buffer)
	fds := []unix.PollFd{{Fd: int32(exit), Events: unix.POLLIN}}
	for _, r := range f.ours {
		fds = append(fds, unix.PollFd{Fd: int32(r.Fd()), Events: unix.POLLIN})
	}
	for open := len(fds); open > 0; {
		n, err := unix.Poll(fds, f.patience())
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			err = errors.Join(fmt.Errorf("waiting for %s: %w", f.cmd.Path, err), f.cmd.Process.Kill())
			f.wait()
			return err
		case n == 0: // a background child keeps a pipe open
			for _, s := range f.sinks {
				s.flush()
			}
			return nil
		}
		for i := range fds {
			if fds[i].Revents != 0 && f.over(i, buffer[:]) {
				fds[i].Fd = -1 // poll leaves it out
				open--
			}
		}
	}
	return nil
}

// patience is how long to wait for the next event, in milliseconds; -1 is for
// ever.
func (f *follower) patience() int {
	if f.cut.IsZero() {
		return -1
	}
	return int(max(0, time.Until(f.cut)+time.Millisecond) / time.Millisecond)
}

// over does what a ready descriptor asks for, and reports whether that was its
// last event: the exit, or the end of a pipe.
func (f *follower) over(i int, buffer []byte) bool {
	if i == 0 {
		f.wait()
		return true
	}
	return !f.sinks[i-1].read(f.ours[i-1], buffer)
}

// wait takes the program's exit status. What is left of a tree that is being
// ended has its time to print.
func (f *follower) wait() {
	f.err = f.cmd.Wait()
	close(f.exited)
	f.cut = time.Now().Add(pipeDelay)
	if f.cancelled = !f.release(); f.cancelled {
		f.cut = f.cut.Add(killDelay)
	}
}
