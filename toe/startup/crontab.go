//go:build unix

package startup

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// crontab is the user's table of cron, changed through its command.
type crontab struct{ program string }

func (c crontab) add(ctx context.Context, cmd Command) error {
	line, err := cronLine(cmd)
	if err != nil {
		return err
	}
	return c.change(ctx, cmd.State, line)
}

func (c crontab) remove(ctx context.Context, state string) error {
	return c.change(ctx, state, "")
}

// change replaces the line of a state, or adds it; an empty line takes it out.
// All others stay as they are.
func (c crontab) change(ctx context.Context, state, line string) error {
	table, err := c.read(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	for old := range strings.Lines(table) {
		if !isCronLine(old, state) {
			b.WriteString(old)
		}
	}
	if line != "" {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		b.WriteString(line + "\n")
	}
	if b.String() == table {
		return nil
	}
	install := c.command(ctx, "-")
	if b.Len() == 0 {
		install = c.command(ctx, "-r")
	}
	install.Stdin = strings.NewReader(b.String())
	_, err = output(install)
	return err
}

// read is the table, empty if the user has none.
func (c crontab) read(ctx context.Context) (string, error) {
	table, err := output(c.command(ctx, "-l"))
	if f := (*failure)(nil); errors.As(err, &f) && isNoCrontab(f.stderr) {
		return "", nil
	}
	return table, err
}

// isNoCrontab knows what cron, cronie and Busybox say instead of a table. Any
// other failure must not be taken for an empty one, or it would be lost.
func isNoCrontab(stderr string) bool {
	return strings.Contains(stderr, "no crontab for") || strings.Contains(stderr, "No such file or directory")
}

func (c crontab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	return cmd
}

// cronLine is the entry of a command. Its end says whose it is.
func cronLine(c Command) (string, error) {
	words := make([]string, len(c.Args))
	for i, arg := range c.Args {
		words[i] = quote(arg)
	}
	line := fmt.Sprintf("@reboot cd %s && test -e %s && exec %s", quote(c.Dir), quote(c.State), strings.Join(words, " "))
	line = escapePercent(line) + cronMark(c.State)
	if strings.ContainsAny(line, "\n\r\x00") {
		return "", fmt.Errorf("%q cannot be in a crontab, which is made of lines", line)
	}
	return line, nil
}

func isCronLine(line, state string) bool {
	return strings.HasPrefix(line, "@reboot ") && strings.HasSuffix(strings.TrimRight(line, "\n"), cronMark(state))
}

func cronMark(state string) string { return escapePercent(" # component documents of " + state) }

// escapePercent hides from cron what it takes for the end of the line.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%", `\%`) }

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
