//go:build unix && !linux

package module

import (
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// processTree is a program and the session it leads. What leaves the session
// escapes.
type processTree struct {
	mark string // NAME=value in the environment of the program
	pid  int
}

func (t *processTree) prepare(cmd *exec.Cmd) { cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true} }

func (t *processTree) started(cmd *exec.Cmd) error {
	t.pid = cmd.Process.Pid
	return nil
}

func (t *processTree) release() {}

// end asks the process group to end and kills it when the program is gone or
// after delay. A group that is empty already is what we want.
func (t *processTree) end(exited <-chan struct{}, delay time.Duration) {
	_ = unix.Kill(-t.pid, unix.SIGTERM)
	deadline := time.NewTimer(delay)
	defer deadline.Stop()
	select {
	case <-exited:
	case <-deadline.C:
	}
	_ = unix.Kill(-t.pid, unix.SIGKILL)
}
