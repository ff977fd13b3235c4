package toe

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot/toe/module"
)

// console writes console.log and hands every line to the observer, in one
// order. A failure to write is kept: a run whose log is incomplete must not
// end well.
type console struct {
	mu      sync.Mutex
	file    *os.File
	buf     []byte
	observe func(Event) // may be nil; called in order, under the lock
	now     func() time.Time
	mask    *mask
	place   Event // Document, Phase and Step of the lines to come
	err     error
}

// at says where the following lines belong.
func (c *console) at(document, phase, step string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place = Event{Document: document, Phase: phase, Step: step}
}

// Printf writes a status line; a text of several lines becomes several.
func (c *console) Printf(level module.Level, format string, args ...any) {
	c.write(level, "", "", []byte(c.mask.text(fmt.Sprintf(format, args...))))
}

// Output writes lines that a process printed.
func (c *console) Output(stream module.Stream, lines []byte) {
	prefix := "CmdExecution: Stdout: "
	if stream == module.Stderr {
		prefix = "CmdExecution: Stderr: "
	}
	c.write(module.Info, stream, prefix, lines)
}

func (c *console) write(level module.Level, stream module.Stream, prefix string, lines []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	head := now.UTC().Format("2006-01-02 15:04:05.000") + " " + string(level) + " " + prefix
	e := c.place
	e.Time, e.Level, e.Stream = now, string(level), string(stream)
	c.buf = c.buf[:0]
	for line := range eachLine(lines) {
		c.buf = append(append(append(c.buf, head...), line...), '\n')
		if c.observe != nil {
			e.Message = prefix + string(line)
			c.observe(e)
		}
	}
	if _, err := c.file.Write(c.buf); err != nil && c.err == nil {
		c.err = fmt.Errorf("writing %s: %w", c.file.Name(), err)
	}
}

// eachLine yields the lines of a text without their ends. An empty text is
// one empty line.
func eachLine(text []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		text = bytes.TrimSuffix(text, []byte("\n"))
		for more := true; more; {
			var line []byte
			line, text, more = bytes.Cut(text, []byte("\n"))
			if !yield(bytes.TrimSuffix(line, []byte("\r"))) {
				return
			}
		}
	}
}

// failure is the first error of writing the log.
func (c *console) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

const (
	tailLines = 20       // of a failed step, for Failure.Tail
	tailSize  = 64 << 10 // bytes that these lines may have
	maxStderr = 1 << 20  // bytes of standard error in the failure block, the last ones
)

// stepConsole is the console of one step. It remembers the end of what the
// step printed and withholds it from the log if the document says so.
type stepConsole struct {
	*console
	silent bool
	outer  *stepConsole // of the step that executes this one's document; nil: none does
	mu     sync.Mutex
	tail   []byte // of both streams, whole lines
	stderr []byte
}

func (c *stepConsole) Output(stream module.Stream, lines []byte) {
	if c.silent {
		return
	}
	lines = c.mask.bytes(lines)
	c.remember(stream, lines)
	c.console.Output(stream, lines)
}

func (c *stepConsole) remember(stream module.Stream, lines []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stream == module.Stderr {
		c.stderr = lastBytes(append(c.stderr, lines...), maxStderr)
	}
	c.tail = lastBytes(append(c.tail, lines...), tailSize)
	if !bytes.HasSuffix(lines, []byte("\n")) {
		c.tail = append(c.tail, '\n')
	}
	if c.outer != nil {
		c.outer.remember(stream, lines)
	}
}

// lastLines are the last lines that the step printed, oldest first.
func (c *stepConsole) lastLines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) == 0 {
		return nil
	}
	var lines []string
	for line := range eachLine(c.tail[max(0, len(c.tail)-tailSize):]) {
		lines = append(lines, strings.ToValidUTF8(string(line), "\ufffd"))
	}
	return lines[max(0, len(lines)-tailLines):]
}

// lastBytes drops the beginning of a text once it is twice as long as limit.
func lastBytes(b []byte, limit int) []byte {
	if len(b) <= 2*limit {
		return b
	}
	return append(b[:0], b[len(b)-limit:]...)
}
