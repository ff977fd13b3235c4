package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"ingot.dev/ingot"
)

// Command gets messages on its standard input, one per start. It has got one
// when it ends with 0.
type Command struct {
	Args    []string `yaml:"args" json:"args"`                           // the program's absolute path, and its arguments
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"` // of an attempt; 30s
}

func (c *Command) check() error {
	if len(c.Args) == 0 || !filepath.IsAbs(c.Args[0]) {
		return errors.New("args: begins with the absolute path of a program")
	}
	return nil
}

func (c *Command) checkFiles() error {
	info, err := os.Stat(c.Args[0])
	if err != nil {
		return fmt.Errorf("args: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("args: %s is not a program", c.Args[0])
	}
	return nil
}

func (c *Command) sender() sender { return commandSender{c} }

type commandSender struct{ *Command }

func (commandSender) atOnce() int { return 2 }

func (commandSender) close() {}

func (c commandSender) send(ctx context.Context, d ingot.Delivery, _ time.Time) error {
	body, err := payload(d.Message)
	if err != nil {
		return err
	}
	limit := c.Timeout.or(30 * time.Second)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	output := &tail{limit: maxAnswer}
	cmd := exec.CommandContext(limited, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = "/", commandEnvironment(d)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(body), output, output
	// A group of its own, so that all of it can be ended; and it ends with us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return endGroup(cmd) }
	cmd.WaitDelay = time.Second // for output that a child outside of the group holds open
	err = cmd.Run()
	if cmd.Process != nil {
		err = errors.Join(err, endGroup(cmd)) // what it left behind
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it ended well; what it left was in the way
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%s was ended after %s: %s", c.Args[0], limit, oneLine(output.data))
	}
	return fmt.Errorf("%s: %w: %s", c.Args[0], err, oneLine(output.data))
}

// commandEnvironment is little: the server's own may hold secrets.
func commandEnvironment(d ingot.Delivery) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8",
		"INGOT_MESSAGE_ID=" + d.Message.ID, "INGOT_CHANNEL=" + string(d.Channel), "INGOT_NAME=" + d.Name,
		"INGOT_ABOUT=" + d.About, "INGOT_SUBJECT=" + d.Subject, "INGOT_ATTEMPT=" + strconv.Itoa(d.Attempts+1),
	}
}

// endGroup ends the program and its children, if any are left.
func endGroup(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p[max(0, len(p)-t.limit):]...)
	if over := len(t.data) - t.limit; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}
