package module

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	MaxCapture = 8 << 20  // bytes of standard output kept for chaining, the last ones (§14)
	maxLine    = 64 << 10 // a longer line is logged in pieces
)

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
			s.flush()
			return
		}
	}
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
