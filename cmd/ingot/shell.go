package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/server"
)

func newInstanceShellCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "shell ID",
		Short: "Open a root shell in an instance",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			// The instance's shim answers by itself, so no server is needed.
			instance, err := server.Adopt(cmd.Context(), s.Data, s.Runtime, args[0])
			if err != nil {
				return err
			}
			agent, err := instance.Agent(cmd.Context())
			if err != nil {
				return err
			}
			defer agent.Close()
			code, err := a.shell(cmd.Context(), agent)
			if err != nil {
				return err
			}
			if code != 0 {
				return exitError{code: exitFailed}
			}
			return nil
		},
	}
}

// endOfScript has a shell end with the status of the last command, as a terminal
// has no end of input that is certain to be seen. The script may lack the end of
// its last line.
const endOfScript = "\nexit\n"

// shell joins our terminal to one in the guest. Without a terminal here the
// input is a script.
func (a *app) shell(ctx context.Context, agent *guest.Client) (int, error) {
	sh := guest.Shell{Env: []string{"TERM=" + os.Getenv("TERM")}, Window: guest.Window{Rows: 24, Cols: 80}}
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return agent.Shell(ctx, sh, io.MultiReader(a.stdin, strings.NewReader(endOfScript)), nil, a.stdout)
	}
	fd := int(in.Fd())
	sh.Window = windowOf(fd)
	old, err := term.MakeRaw(fd)
	if err != nil {
		return 0, fmt.Errorf("preparing the terminal: %w", err)
	}
	defer term.Restore(fd, old)
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGWINCH)
	defer signal.Stop(changes)
	resize := make(chan guest.Window)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-changes:
				select {
				case resize <- windowOf(fd):
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return agent.Shell(ctx, sh, in, resize, a.stdout)
}

func windowOf(fd int) guest.Window {
	cols, rows, err := term.GetSize(fd)
	if err != nil {
		return guest.Window{Rows: 24, Cols: 80}
	}
	return guest.Window{Rows: uint16(rows), Cols: uint16(cols)}
}
