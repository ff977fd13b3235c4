// Package hook runs a program of the operator's for something that this one
// is asked to do: with little environment, bounded output, and an end, with all
// that it has started, when its time is up.
package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Call is one run of a program.
type Call struct {
	Args   []string // the program's absolute path, and its arguments
	Env    []string // beside PATH, HOME and LANG: the server's own may hold secrets
	Stdin  []byte
	Stdout io.Writer
	Stderr io.Writer
}

// outputGrace is how long the output may stay open after the program's end, by
// a child that is outside of its group.
const outputGrace = time.Second

// Run starts the program and waits for its end. When ctx ends first, so does
// the program, and the error is ctx's. Nothing of its group goes on afterwards.
// When this process is killed, the program is, too.
func (c Call) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"}, c.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Stdin), c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return endGroup(cmd) }
	cmd.WaitDelay = outputGrace
	err := cmd.Run()
	if cmd.Process != nil {
		err = errors.Join(err, endGroup(cmd)) // what it left behind
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it ended well; what it left was in the way
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// endGroup ends the program and its children, if any are left.
func endGroup(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Check refuses what is no command.
func Check(args []string) error {
	if len(args) == 0 || !filepath.IsAbs(args[0]) {
		return errors.New("begins with the absolute path of a program")
	}
	return nil
}

// CheckFile refuses a command whose program cannot be run.
func CheckFile(args []string) error {
	info, err := os.Stat(args[0])
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", args[0])
	}
	return nil
}

// Tail keeps the end of what is written to it.
type Tail struct {
	Limit int // bytes
	data  []byte
}

// Bytes is what was kept.
func (t *Tail) Bytes() []byte { return t.data }

func (t *Tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p[max(0, len(p)-t.Limit):]...)
	if over := len(t.data) - t.Limit; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}
