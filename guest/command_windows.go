package guest

import (
	"os"
	"os/exec"
	"strconv"
)

// commandEnvironment is the agent's own: programs of Windows need much of it.
func commandEnvironment() []string { return os.Environ() }

// endWithChildren makes the end of the command's context that of its children,
// too.
func endWithChildren(c *exec.Cmd) {
	c.Cancel = func() error {
		return exec.Command("taskkill.exe", "/t", "/f", "/pid", strconv.Itoa(c.Process.Pid)).Run()
	}
}

func exitStatus(state *os.ProcessState) int { return state.ExitCode() }
