package build

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Line is one line of a build's log: JSON in the file "log" of its folder.
type Line struct {
	Time         time.Time `json:"time"`
	Step         string    `json:"step,omitempty"` // of the workflow
	Component    string    `json:"component,omitempty"`
	Phase        string    `json:"phase,omitempty"`
	DocumentStep string    `json:"documentStep,omitempty"`
	Level        string    `json:"level,omitempty"`  // Info, Warn or Error; empty for what a program printed
	Stream       string    `json:"stream,omitempty"` // stdout or stderr of a program in the instance
	Text         string    `json:"line"`
	Run          string    `json:"run,omitempty"` // component run, and the number of its event
	Seq          int64     `json:"seq,omitempty"`
	End          string    `json:"end,omitempty"` // status of the image, in the last line
}

const (
	logFile  = "log"
	planFile = "plan.json"
	// maxLog bounds the log of one build, in bytes: a component that never stops
	// printing must not fill the server's disk.
	maxLog = 8 << 30
	// logDelay is how long a line may wait for others before it is written.
	logDelay = 50 * time.Millisecond
	// logBuffer is how many bytes wait at most.
	logBuffer = 64 << 10
)

// dir is the folder of an image's build.
func (b *Builder) dir(image string) string { return filepath.Join(b.Dir, mustID(image)) }

// writeWhole replaces a file of a build so that no reader sees half of it.
func (b *Builder) writeWhole(image, name string, data []byte) error {
	path := filepath.Join(b.dir(image), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(path+".new", path)
}

// logWriter appends lines to the log of a build. Several steps may have one at
// the same time: only whole lines are written.
type logWriter struct {
	step string
	now  func() time.Time
	file *os.File

	mu     sync.Mutex
	buffer []byte
	flush  *time.Timer // runs while lines wait
	failed error       // of the delayed writes; the next call returns it
	size   int64
}

// openLog opens the log of a build, and ends a line that a killed server left
// unfinished.
func openLog(dir, step string, now func() time.Time) (*logWriter, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the log: %w", err), f.Close())
	}
	l := &logWriter{step: step, now: now, file: f, size: info.Size()}
	last := []byte{'\n'}
	if _, err := f.ReadAt(last, max(0, l.size-1)); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("opening the log: %w", err), f.Close())
	}
	if last[0] != '\n' {
		l.buffer = append(l.buffer, '\n')
	}
	return l, nil
}

// note adds a line of the build itself.
func (l *logWriter) note(format string, args ...any) {
	// A write that fails is kept in l.failed and returned by Close.
	_ = l.write(Line{Time: l.now(), Level: "Info", Text: fmt.Sprintf(format, args...)})
}

// write adds a line, which is in the file soon after.
func (l *logWriter) write(line Line) error {
	line.Step = l.step
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxLog {
		return l.failed // the log is full; writeOut has said so
	}
	l.buffer = append(append(l.buffer, data...), '\n')
	switch {
	case len(l.buffer) >= logBuffer:
		l.writeOut()
	case l.flush == nil:
		l.flush = time.AfterFunc(logDelay, l.delayed)
	}
	return l.failed
}

func (l *logWriter) delayed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush = nil
	l.writeOut()
}

// writeOut writes what waits. The caller holds the lock.
func (l *logWriter) writeOut() {
	if len(l.buffer) == 0 || l.failed != nil {
		return
	}
	l.size += int64(len(l.buffer))
	if l.size > maxLog {
		end, _ := json.Marshal(Line{Time: l.now(), Step: l.step, Level: "Warn", Text: fmt.Sprintf("The log has reached %d bytes; the rest is left out.", int64(maxLog))})
		l.buffer = append(append(l.buffer, end...), '\n')
	}
	if _, err := l.file.Write(l.buffer); err != nil {
		l.failed = fmt.Errorf("writing the log: %w", err)
	}
	l.buffer = l.buffer[:0]
}

// Close writes what waits and returns what could not be written.
func (l *logWriter) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flush != nil {
		l.flush.Stop()
	}
	l.writeOut()
	return errors.Join(l.failed, l.file.Close())
}

// lastSeq is the number of the last event of a run that the log has.
func (l *logWriter) lastSeq(run string) (last int64, err error) {
	f, err := os.Open(l.file.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the log: %w", err)
	}
	defer f.Close()
	key := []byte(`"run":"` + run + `"`)
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		data, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return 0, fmt.Errorf("reading the log: %w", err)
		}
		var line Line
		if bytes.Contains(data, key) && json.Unmarshal(data, &line) == nil && line.Run == run {
			last = max(last, line.Seq)
		}
	}
}

// readLine reads a whole line without its end. An unfinished one is io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return part[:len(part)-1], nil
		case err == nil:
			return append(long, part[:len(part)-1]...), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(long) > maxLine:
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
		long = append(long, part...)
	}
}

// maxLine bounds a line of the log: the guest's events have at most 1 MiB.
const maxLine = 8 << 20
