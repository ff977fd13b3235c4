package module

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	killDelay = 10 * time.Second // between SIGTERM and SIGKILL (§5.2)
	pipeDelay = 5 * time.Second  // for background children that keep the pipes open (§9.4)
)

// treeMark is the environment variable by which the descendants of a step's
// process are found, also those that left its session.
const treeMark = "INGOT_TOE_PROCESS"

// run runs a program to its end, logs what it prints and returns its standard
// output. When ctx ends first, the whole process tree is ended.
func (c *Call) run(ctx context.Context, program string, args ...string) (string, error) {
	path, err := c.lookPath(program)
	if err != nil {
		return "", err
	}
	return c.runCommand(ctx, &exec.Cmd{Path: path, Args: append([]string{program}, args...)})
}

// runCommand is run for a command that names its program and arguments; the
// rest of it is set here.
func (c *Call) runCommand(ctx context.Context, cmd *exec.Cmd) (string, error) {
	tree := processTree{mark: treeMark + "=" + rand.Text()}
	cmd.Dir, cmd.Env = c.Dir, append(slices.Clip(c.Env), tree.mark)
	stdout := &tail{limit: MaxCapture}
	pipes, err := c.pipes(cmd, stdout)
	if err != nil {
		return "", err
	}
	tree.prepare(cmd)
	err = cmd.Start()
	pipes.closeTheirs() // the program has its own copies
	defer pipes.closeOurs()
	if err != nil {
		return "", fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	err = pipes.follow(ctx, cmd, &tree)
	if stdout.dropped {
		c.Console.Printf(Warn, "CmdExecution: only the last %d bytes of the output are kept for later steps", MaxCapture)
	}
	if cmd.ProcessState != nil {
		c.Console.Printf(Info, "CmdExecution: ExitCode %d", cmd.ProcessState.ExitCode())
	}
	return stdout.text(), err
}

// ignoreExit drops the exit status of a program that we ended ourselves.
func ignoreExit(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// rebootRequest turns the exit code that asks for a restart into a *Reboot.
func rebootRequest(err error) error {
	code := 194
	if runtime.GOOS == "windows" {
		code = 3010
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == code {
		return &Reboot{Again: true, Code: code}
	}
	return err
}

// lookPath finds a program: by path below Dir, or by name in the PATH of Env.
func (c *Call) lookPath(program string) (string, error) {
	if strings.ContainsAny(program, `/\`) && runtime.GOOS == "windows" || strings.Contains(program, "/") {
		return exec.LookPath(c.Path(program)) // completes the extension on Windows
	}
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(c.Path(dir), program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in PATH (%s)", program, c.getenv("PATH"))
}
