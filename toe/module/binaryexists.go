package module

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
)

// BinaryExists reports whether a step could call a program by this name: in
// bash, where builtins count, or as where.exe finds it (§8.5).
func (c *Call) BinaryExists(ctx context.Context, name string) (bool, error) {
	finder, args := "bash", []string{"-c", `type -- "$1"`, "bash", name}
	if runtime.GOOS == "windows" {
		finder, args = "where.exe", []string{"/Q", name}
	}
	path, err := c.lookPath(finder)
	if err != nil { // a small system: only programs count
		_, err := c.lookPath(name)
		return name != "" && err == nil, nil
	}
	cmd := exec.CommandContext(ctx, path, args...)
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
