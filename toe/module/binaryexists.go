package module

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
)

// BinaryExists reports whether a step could call a program by this name: in
// bash, where builtins count, or as where.exe finds it, in the working
// directory and in PATH (§8.5).
func (c *Call) BinaryExists(ctx context.Context, name string) (bool, error) {
	path, err := c.lookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		return c.programExists(name), nil
	}
	cmd := exec.CommandContext(ctx, path, "-c", `type -- "$1"`, "bash", name)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	err = cmd.Run()
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return false, nil
	}
	return err == nil, err
}

// programExists does without a shell: there is none, or it is not asked.
func (c *Call) programExists(name string) bool {
	if name == "" {
		return false
	}
	if _, err := c.lookPath(name); err == nil || runtime.GOOS != "windows" {
		return err == nil
	}
	_, err := exec.LookPath(filepath.Join(c.Dir, name))
	return err == nil
}
