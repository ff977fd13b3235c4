package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/startup"
)

// handsOff reports whether the caller restarts the machine: it says so, or
// nobody else could (§10.3).
func handsOff() bool {
	return os.Getenv("TOE_REBOOT_HANDOFF") == "1" || os.Getenv("AWS_SSM_INSTANCE_ID") != "" || !startup.Possible()
}

// restart restarts the machine, which then goes on with this very command.
func restart(ctx context.Context, req toe.Request) error {
	program, err := self()
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the current directory: %w", err)
	}
	state, err := toe.StateFile(req)
	if err != nil {
		return err
	}
	args := append([]string{program}, os.Args[1:]...)
	return startup.Restart(ctx, startup.Command{
		Args: append(args, "--state-directory", req.StateDirectory), // the last one counts
		Dir:  dir, State: state,
	})
}

// self is the absolute path of this program under the name by which it was
// called, because the name decides what it does.
func self() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		path, err = os.Executable()
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	return path, nil
}

// forget takes back what restart has registered.
func forget(ctx context.Context, req toe.Request) error {
	state, err := toe.StateFile(req)
	if err != nil {
		return err
	}
	return startup.Remove(ctx, state)
}
