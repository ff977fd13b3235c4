package module

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

const (
	MaxCapture = 8 << 20  // bytes of standard output kept for chaining, the last ones (§14)
	maxLine    = 64 << 10 // a longer line is logged in pieces
)

// pipes carry a program's output to the console.
type pipes struct {
	ours, theirs []*os.File
	sinks        []*lineSink
}

func (c *Call) pipes(cmd *exec.Cmd, stdout io.Writer) (*pipes, error) {
	p := &pipes{}
	for _, s := range []struct {
		stream Stream
		to     *io.Writer
		copy   io.Writer
	}{{Stdout, &cmd.Stdout, stdout}, {Stderr, &cmd.Stderr, io.Discard}} {
		r, w, err := newPipe()
		if err != nil {
			p.closeTheirs()
			p.closeOurs()
			return nil, fmt.Errorf("creating pipe: %w", err)
		}
		*s.to = w
		p.ours, p.theirs = append(p.ours, r), append(p.theirs, w)
		p.sinks = append(p.sinks, &lineSink{console: c.Console, stream: s.stream, copy: s.copy})
	}
	return p, nil
}

func (p *pipes) closeTheirs() {
	for _, f := range p.theirs {
		f.Close() // nothing was written: there is nothing to lose
	}
}

func (p *pipes) closeOurs() {
	for _, f := range p.ours {
		f.Close() // again, perhaps: an error means nothing
	}
}

// lineSink hands whole lines to the console and everything to copy.
type lineSink struct {
	console Console
	stream  Stream
	copy    io.Writer
	buf     []byte
}

// read hands on what one read of a pipe brings, and reports whether there may
// be more. At the pipe's end, when it is cut off or at any read error there is
// nothing more to log.
func (s *lineSink) read(pipe io.Reader, buffer []byte) bool {
	n, err := pipe.Read(buffer)
	s.copy.Write(buffer[:n]) // a tail or io.Discard: neither fails
	s.add(buffer[:n])
	if err != nil {
		s.flush()
	}
	return err == nil
}

// chunks are read buffers: most steps print little, and there are many steps.
var chunks = sync.Pool{New: func() any { return new([maxLine]byte) }}

func (s *lineSink) add(data []byte) {
	end := bytes.LastIndexByte(data, '\n') + 1
	if end > 0 {
		s.buf = append(s.buf, data[:end]...)
		s.flush()
	}
	s.buf = append(s.buf, data[end:]...)
	if len(s.buf) >= maxLine {
		s.flush()
	}
}

func (s *lineSink) flush() {
	if len(s.buf) > 0 {
		s.console.Output(s.stream, s.buf)
		s.buf = s.buf[:0]
	}
}

// tail is a writer that keeps the last bytes.
type tail struct {
	limit   int
	data    []byte
	oldest  int // where data begins once it is full
	dropped bool
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	fits := min(n, t.limit-len(t.data))
	t.grow(fits)
	t.data = append(t.data, p[:fits]...)
	for p = p[fits:]; len(p) > 0; {
		t.dropped = true
		written := copy(t.data[t.oldest:], p)
		p = p[written:]
		t.oldest = (t.oldest + written) % t.limit
	}
	return n, nil
}

// grow makes room for n bytes more, and never more room than limit.
func (t *tail) grow(n int) {
	if need := len(t.data) + n; need > cap(t.data) {
		t.data = append(make([]byte, 0, min(t.limit, max(need, 2*cap(t.data)))), t.data...)
	}
}

// text is what was kept, as later steps see it: with LF line ends and none at
// the end (§6.5).
func (t *tail) text() string {
	var b strings.Builder
	b.Grow(len(t.data))
	b.Write(t.data[t.oldest:])
	b.Write(t.data[:t.oldest])
	return strings.TrimRight(strings.ReplaceAll(b.String(), "\r\n", "\n"), "\n")
}
