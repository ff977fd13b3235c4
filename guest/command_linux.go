package guest

import (
	"os"
	"os/exec"
	"syscall"
)

// safePath finds the tools of any distribution.
const safePath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func commandEnvironment() []string { return []string{safePath, "HOME=/root", "LANG=C.UTF-8"} }

// endWithChildren makes the end of the command's context that of its process
// group.
func endWithChildren(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

// exitStatus is that of a shell: 128+n for an end by signal n.
func exitStatus(state *os.ProcessState) int {
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
