package module

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What stands in for the descriptor of a process is ready at its exit, not
// before, and leaves the exit status to others.
func TestExitPipe(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := func(fd int, patience time.Duration) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(patience.Milliseconds()))
		for err == unix.EINTR {
			n, err = unix.Poll(fds, int(patience.Milliseconds()))
		}
		if err != nil {
			t.Error(err)
		}
		return n > 0
	}
	err = withExitPipe(cmd.Process.Pid, func(exit int) error {
		if ready(exit, 0) {
			t.Error("ready although the program lives")
		}
		if err := stdin.Close(); err != nil {
			return err
		}
		if !ready(exit, time.Minute) {
			t.Error("not ready although the program has exited")
		}
		return nil
	})
	if err != nil {
		t.Errorf("withExitPipe: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the exit status was taken: %v", err)
	}
}
