package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
)

// Bounds on the guest's console: a guest may print for ever.
const (
	maxConsole     = 16 << 20 // bytes kept per instance
	maxConsoleLine = 1 << 10  // bytes of a line that are looked at
)

// notePrefix marks lines that this package adds to a console.
const notePrefix = "[ingot] "

// console copies what the guest prints to a file and watches for the lines that
// say that the guest cannot go on.
type console struct {
	file     *os.File
	kept     int64
	line     []byte
	panicked chan struct{} // closed at the first sign of a panic

	mu     sync.Mutex
	reason string // why the guest panicked, in its own words
}

// openConsole appends to the file at path.
func openConsole(path string) (*console, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &console{file: f, kept: info.Size(), panicked: make(chan struct{})}, nil
}

// copy reads the guest's console until it ends, and closes the file.
func (c *console) copy(r io.Reader) error {
	_, err := io.Copy(c, r)
	return errors.Join(err, c.file.Close())
}

func (c *console) Write(p []byte) (int, error) {
	for _, b := range p {
		c.watch(b)
	}
	room := max(0, maxConsole-c.kept)
	if room == 0 {
		return len(p), nil
	}
	n, err := c.file.Write(p[:min(int64(len(p)), room)])
	c.kept += int64(n)
	if err != nil {
		return n, fmt.Errorf("writing the console: %w", err)
	}
	return len(p), nil
}

func (c *console) watch(b byte) {
	switch {
	case b == '\n':
		c.judge(bytes.TrimRight(c.line, "\r"))
		c.line = c.line[:0]
	case len(c.line) < maxConsoleLine:
		c.line = append(c.line, b)
	}
}

// fatal are lines after which nothing follows: the kernel's panic, and the
// complaint of our own first process, after which the kernel panics.
var (
	kernelPanic = regexp.MustCompile(`^(?:\[ *\d+\.\d+\] )?(Kernel panic - not syncing: .*)`)
	initFailed  = regexp.MustCompile(`^ingot-init: (.*)`)
)

func (c *console) judge(line []byte) {
	if m := initFailed.FindSubmatch(line); m != nil {
		c.mu.Lock()
		c.reason = string(m[1])
		c.mu.Unlock()
	}
	m := kernelPanic.FindSubmatch(line)
	if m == nil || c.hasPanicked() {
		return
	}
	c.mu.Lock()
	if c.reason == "" {
		c.reason = string(m[1])
	}
	c.mu.Unlock()
	close(c.panicked)
}

func (c *console) hasPanicked() bool {
	select {
	case <-c.panicked:
		return true
	default:
		return false
	}
}

// why is the guest's own word for its panic.
func (c *console) why() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// note adds a line of our own to a console.
func note(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(notePrefix + line + "\n")
	return errors.Join(err, f.Close())
}
