// Package startup restarts the system and has a command run once it is up
// again: for a run of component documents that nobody else takes through a
// reboot (component-documents.md §10.3).
//
// The command is registered in the user's crontab, or as a systemd unit where
// there is no crontab, or in the Task Scheduler of Windows. Nothing is touched
// before Restart, and Remove takes the entry out again.
package startup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Command is what runs at the next start of the system.
type Command struct {
	Args []string // the first is the program, an absolute path
	Dir  string   // where it runs, absolute
	// State is the file that it goes on from: without it nothing runs. The
	// entry is named after it, so there is one for each.
	State string
}

// registry is a list of commands that the system runs when it starts.
type registry interface {
	add(context.Context, Command) error             // replaces an entry for the same state
	remove(ctx context.Context, state string) error // nil if there is none
}

// Possible reports whether Restart has a way to do its work. It has none in
// an application container, whose end is nobody's start.
func Possible() bool { return !inContainer() && len(registries()) > 0 && restartProgram() != nil }

// Restart registers the command and begins to restart the system. After an
// error nothing is registered.
func Restart(ctx context.Context, c Command) error {
	found := registries()
	if len(found) == 0 {
		return fmt.Errorf("registering %s for the next start: %w", c.Args[0], errors.New("the system has neither crontab nor systemd"))
	}
	if err := found[0].add(ctx, c); err != nil {
		return fmt.Errorf("registering %s for the next start: %w", c.Args[0], err)
	}
	program := restartProgram()
	if program == nil {
		return errors.Join(errors.New("the system has no command to restart it"), found[0].remove(ctx, c.State))
	}
	if err := begin(context.WithoutCancel(ctx), program); err != nil {
		return errors.Join(err, found[0].remove(context.WithoutCancel(ctx), c.State))
	}
	return nil
}

// beginLimit is how long a system may take to say that it will restart.
const beginLimit = time.Minute

// begin asks the system to restart, which ends every process, this one and the
// one that asks among them, perhaps before there is an answer: a signal is no
// refusal.
func begin(ctx context.Context, program []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, beginLimit, fmt.Errorf("no answer within %v", beginLimit))
	defer cancel()
	_, err := output(exec.CommandContext(ctx, program[0], program[1:]...))
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", program[0], context.Cause(ctx))
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !exit.Exited() {
		return nil
	}
	return err
}

// Remove takes out the entry of a state.
func Remove(ctx context.Context, state string) error {
	for _, r := range registries() {
		if err := r.remove(ctx, state); err != nil {
			return fmt.Errorf("removing the entry for the start of the system: %w", err)
		}
	}
	return nil
}

// entryName is a name for the entry of a state.
func entryName(state string) string {
	return fmt.Sprintf("component-documents-%.8x", sha256.Sum256([]byte(state)))
}

// firstOf is the first command whose program the system has.
func firstOf(commands ...[]string) []string {
	for _, c := range commands {
		if path := find(c[0]); path != "" {
			return append([]string{path}, c[1:]...)
		}
	}
	return nil
}

// find looks for a program in PATH and where programs of the administrator
// are. It is empty if there is none.
func find(name string) string {
	for _, file := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(file); err == nil {
			return path
		}
	}
	return ""
}

// output runs a command. Its error has what the command said.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(out), &failure{cmd.Path, exit, strings.TrimSpace(string(exit.Stderr))}
	}
	return string(out), err
}

// failure is a command that has failed.
type failure struct {
	program string
	exit    *exec.ExitError
	stderr  string
}

func (f *failure) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%s: %v: %s", f.program, f.exit, f.stderr), ": ")
}

func (f *failure) Unwrap() error { return f.exit }
