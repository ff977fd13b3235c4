// Command ingot is the image factory: the server, and what people type.
//
// The contract of commands, flags, output and exit status is in the project's
// documentation (docs/cli.md). Results go to standard output, progress and
// logs to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/toe/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := program(ctx)
	stop()
	os.Exit(code)
}

// program is what the name of the program asks for.
func program(ctx context.Context) int {
	if isExecutor(os.Args[0]) {
		return command.Main(ctx, "awstoe", version, os.Args[1:], os.Stdout, os.Stderr)
	}
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Exit statuses, beside 0 for done.
const (
	exitFailed      = 1   // the work failed
	exitUsage       = 2   // the command line or configuration is wrong
	exitInterrupted = 130 // ended by an interrupt
)

// exitError ends the command with a status of its own. A nil err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usagef is an error of the command line or the configuration.
func usagef(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

// app is what every command shares.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	configFile     string
	data           string
	output         string // "text" or "json"
	debug          bool
}

// run is the whole program, for main and for tests.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRootCommand(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return a.report(ctx, err)
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "ingot",
		Short:         "A self-hosted image factory that speaks the EC2 Image Builder API",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          onlySubcommands,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.output != "text" && a.output != "json" {
				return usagef("--output %q: must be text or json", a.output)
			}
			return nil
		},
	}
	root.Args = cobra.ArbitraryArgs // onlySubcommands says what is wrong with them
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitError{exitUsage, err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "settings `file` (YAML)")
	flags.StringVar(&a.data, "data", "", "data `directory` (default /var/lib/ingot for root, else ~/.local/share/ingot)")
	flags.StringVar(&a.output, "output", "text", "`format` of results: text or json")
	flags.BoolVar(&a.debug, "debug", false, "show the chain of causes of an error, and debug logs")
	for _, command := range commands {
		root.AddCommand(command(a))
	}
	return root
}

// onlySubcommands is the RunE of a command that does nothing by itself.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return exitError{exitUsage, errors.New(text)}
}

// commands are the subcommands, in the order of the help text.
var commands = []func(*app) *cobra.Command{
	newServeCommand,
	newEnvCommand,
	newBuildCommand,
	newToeCommand,
	newBaseCommand,
	newImageCommand,
	newPipelineCommand,
	newLifecycleCommand,
	newParameterCommand,
	newInstanceCommand,
	newEventCommand,
	newApproveCommand,
	newRejectCommand,
	newRetryCommand,
	newLogsCommand,
	newAdminCommand,
	newDoctorCommand,
	newConfigCommand,
	newManCommand,
	newVersionCommand,
	newShimCommand,
}

// report prints err for people and returns the exit status.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	var executor command.Error
	if errors.As(err, &executor) {
		err = exitError{executor.Status, executor.Err}
	}
	code := exitFailed
	var exit exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		code = exitInterrupted
	case isUnknownCommand(err):
		code = exitUsage
	}
	fmt.Fprintf(a.stderr, "ingot: %v\n", err)
	if a.debug {
		for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
			fmt.Fprintf(a.stderr, "  caused by: %v\n", cause)
		}
	}
	return code
}
