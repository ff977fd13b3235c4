package module

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	MaxCapture = 8 << 20          // bytes of standard output kept for chaining, the last ones (§14)
	maxLine    = 64 << 10         // a longer line is logged in pieces
	killDelay  = 10 * time.Second // between SIGTERM and SIGKILL (§5.2)
	pipeDelay  = 5 * time.Second  // for background children that keep the pipes open (§9.4)
)

// treeMark is the environment variable by which the descendants of a step's
// process are found, also those that left its session.
const treeMark = "INGOT_TOE_PROCESS"

// run runs a program to its end, logs what it prints and returns its standard
// output. When ctx ends first, the whole process tree is ended.
func (c *Call) run(ctx context.Context, program string, args ...string) (string, error) {
	path, err := c.lookPath(program)
	if err != nil {
		return "", err
	}
	return c.runCommand(ctx, &exec.Cmd{Path: path, Args: append([]string{program}, args...)})
}

// runCommand is run for a command that names its program and arguments; the
// rest of it is set here.
func (c *Call) runCommand(ctx context.Context, cmd *exec.Cmd) (string, error) {
	tree := processTree{mark: treeMark + "=" + rand.Text()}
	cmd.Dir, cmd.Env = c.Dir, append(slices.Clip(c.Env), tree.mark)
	stdout := &tail{limit: MaxCapture}
	pipes, err := c.pipes(cmd, stdout)
	if err != nil {
		return "", err
	}
	tree.prepare(cmd)
	if err := cmd.Start(); err != nil {
		pipes.close()
		return "", fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	pipes.begin()
	err = waitTree(ctx, cmd, &tree)
	pipes.end()
	captured := trimOutput(stdout.bytes())
	if stdout.dropped {
		c.Console.Printf(Warn, "CmdExecution: only the last %d bytes of the output are kept for later steps", MaxCapture)
	}
	if cmd.ProcessState != nil {
		c.Console.Printf(Info, "CmdExecution: ExitCode %d", cmd.ProcessState.ExitCode())
	}
	return captured, err
}

// waitTree waits for the program. At the end of ctx it ends the program and
// its descendants and returns the reason.
func waitTree(ctx context.Context, cmd *exec.Cmd, tree *processTree) error {
	if err := tree.started(cmd); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	defer tree.release()
	var err error
	exited := make(chan struct{})
	go func() {
		err = cmd.Wait()
		close(exited)
	}()
	select {
	case <-exited:
		return err
	case <-ctx.Done():
	}
	tree.end(exited, killDelay)
	<-exited
	return errors.Join(context.Cause(ctx), ignoreExit(err))
}

// ignoreExit drops the exit status of a program that we ended ourselves.
func ignoreExit(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// rebootRequest turns the exit code that asks for a restart into a *Reboot.
func rebootRequest(err error) error {
	code := 194
	if runtime.GOOS == "windows" {
		code = 3010
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == code {
		return &Reboot{Again: true, Code: code}
	}
	return err
}

// lookPath finds a program: by path below Dir, or by name in the PATH of Env.
func (c *Call) lookPath(program string) (string, error) {
	if strings.ContainsAny(program, `/\`) && runtime.GOOS == "windows" || strings.Contains(program, "/") {
		return exec.LookPath(c.Path(program)) // completes the extension on Windows
	}
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(c.Path(dir), program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in PATH (%s)", program, c.getenv("PATH"))
}

// pipes carry a program's output to the console.
type pipes struct {
	ours, theirs []*os.File
	sinks        []*lineSink
	done         chan struct{} // one value per pipe that has ended
}

func (c *Call) pipes(cmd *exec.Cmd, stdout io.Writer) (*pipes, error) {
	p := &pipes{done: make(chan struct{}, 2)}
	for _, s := range []struct {
		stream Stream
		to     *io.Writer
		copy   io.Writer
	}{{Stdout, &cmd.Stdout, stdout}, {Stderr, &cmd.Stderr, io.Discard}} {
		r, w, err := os.Pipe()
		if err != nil {
			p.close()
			return nil, fmt.Errorf("creating pipe: %w", err)
		}
		*s.to = w
		p.ours, p.theirs = append(p.ours, r), append(p.theirs, w)
		p.sinks = append(p.sinks, &lineSink{console: c.Console, stream: s.stream, copy: s.copy})
	}
	return p, nil
}

func (p *pipes) close() {
	for _, f := range append(p.ours, p.theirs...) {
		f.Close() // nothing was written: there is nothing to lose
	}
}

// begin reads the pipes. The program has its own copies of the far ends.
func (p *pipes) begin() {
	for i, r := range p.ours {
		p.theirs[i].Close()
		go func() {
			p.sinks[i].readFrom(r)
			p.done <- struct{}{}
		}()
	}
}

// end waits for the readers. A background child may hold a pipe open for ever,
// so they are cut off after a while.
func (p *pipes) end() {
	timer := time.AfterFunc(pipeDelay, func() {
		for _, r := range p.ours {
			r.Close() // ends a read under way, and pipes of Windows take no deadline
		}
	})
	defer timer.Stop()
	for range p.ours {
		<-p.done
	}
	for _, r := range p.ours {
		r.Close() // again, perhaps: an error means nothing
	}
}

// lineSink hands whole lines to the console and everything to copy.
type lineSink struct {
	console Console
	stream  Stream
	copy    io.Writer
	buf     []byte
}

// readFrom ends with the pipe: at its end, when it is cut off or at any read
// error there is nothing more to log.
func (s *lineSink) readFrom(r io.Reader) {
	buffer := chunks.Get().(*[maxLine]byte)
	defer chunks.Put(buffer)
	chunk := buffer[:]
	for {
		n, err := r.Read(chunk)
		s.copy.Write(chunk[:n]) // a tail or io.Discard: neither fails
		s.add(chunk[:n])
		if err != nil {
			break
		}
	}
	if len(s.buf) > 0 {
		s.console.Output(s.stream, s.buf)
	}
}

// chunks are read buffers: most steps print little, and there are many steps.
var chunks = sync.Pool{New: func() any { return new([maxLine]byte) }}

func (s *lineSink) add(data []byte) {
	end := bytes.LastIndexByte(data, '\n') + 1
	if end > 0 {
		s.console.Output(s.stream, append(s.buf, data[:end]...))
		s.buf = s.buf[:0]
	}
	s.buf = append(s.buf, data[end:]...)
	if len(s.buf) >= maxLine {
		s.console.Output(s.stream, s.buf)
		s.buf = s.buf[:0]
	}
}

// tail is a writer that keeps the last bytes. It holds at most twice limit.
type tail struct {
	limit   int
	data    []byte
	dropped bool
}

func (t *tail) Write(p []byte) (int, error) {
	if len(t.data)+len(p) > 2*t.limit {
		keep := max(0, len(t.data)-t.limit)
		t.data = append(t.data[:0], t.data[keep:]...)
		t.dropped = true
	}
	t.data = append(t.data, p...)
	return len(p), nil
}

func (t *tail) bytes() []byte {
	if len(t.data) > t.limit {
		t.dropped = true
		return t.data[len(t.data)-t.limit:]
	}
	return t.data
}

// trimOutput is output as later steps see it: LF line ends and none at the end (§6.5).
func trimOutput(b []byte) string {
	s := string(b)
	if strings.Contains(s, "\r\n") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return strings.TrimRight(s, "\n")
}
