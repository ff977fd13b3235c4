// Package command is the command line of the component executor, with the
// options and the output of the vendor's command. The program awstoe is this
// package; `ingot toe` is the same below another name.
//
// Exit status: 0 done, 1 for every failure, 194 (Windows: 3010) when the
// caller must restart the machine and repeat the command.
//
// Source: component-documents.md §11.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/internal/yamldoc"
)

// Exit statuses, beside 0 for done.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// exitReboot asks the caller to restart the machine and repeat the command.
func exitReboot() int {
	if runtime.GOOS == "windows" {
		return 3010
	}
	return 194
}

// Error ends the program with a status of its own.
type Error struct {
	Status int
	Err    error // nil: there is nothing to print
}

func (e Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}

func (e Error) Unwrap() error { return e.Err }

// New is the executor as a command of the given name. Its errors carry their
// exit status in an Error; others mean 1.
func New(name, version string) *cobra.Command {
	command := &cobra.Command{
		Use:           name,
		Short:         "Run or check component documents on this host",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // RunE says what is wrong with them
		RunE:          onlySubcommands,
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Error{exitFailed, err} })
	for _, sub := range []*cobra.Command{newRun(), newValidate(), newModules(), newSchema()} {
		// The vendor's options have --version of every command, too.
		sub.Version = version
		command.AddCommand(sub)
	}
	return command
}

// onlySubcommands is the RunE of a command that does nothing by itself.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return Error{exitFailed, fmt.Errorf("unknown command %q%s", args[0], yamldoc.DidYouMean(args[0], names))}
}

// noArguments refuses what is neither an option nor the value of one.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Error{exitFailed, fmt.Errorf("%q is no option; %s --help lists them", args[0], cmd.CommandPath())}
}

// Main is the whole of a program of this command. It returns the exit status.
func Main(ctx context.Context, name, version string, args []string, stdout, stderr io.Writer) int {
	command := New(name, version)
	command.SetArgs(args)
	command.SetOut(stdout)
	command.SetErr(stderr)
	err := command.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	status := exitFailed
	if e := (Error{}); errors.As(err, &e) {
		if e.Err == nil {
			return e.Status
		}
		status = e.Status
	} else if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		status = exitInterrupted
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return status
}
