package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
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

// LogFile is the log of an image's build below the folder of all builds.
func LogFile(builds string, image ingot.ARN) string { return filepath.Join(builds, ID(image), logFile) }

// nameLog makes the log of an image and gives it the name that the service
// has for it. A log without a name is better than no image.
func (b *Builder) nameLog(ctx context.Context, image string) {
	if err := b.tryNameLog(ctx, image); err != nil {
		b.Log.Error("the log of a build is not in its log group", "image", image, "error", err)
	}
}

func (b *Builder) tryNameLog(ctx context.Context, image string) error {
	if b.Logs == nil {
		return nil
	}
	arn, err := ingot.ParseARN(image)
	if err != nil {
		return err
	}
	record, err := b.Records.Get(ctx, arn)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	document, err := ingot.Decode[model.Image](record)
	if err != nil {
		return err
	}
	log, err := openLog(b.dir(image), "", b.Now)
	if err != nil {
		return err
	}
	return errors.Join(b.Logs.Name(arn, ingot.ImageLog(arn, document)), log.Close())
}

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
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxLog {
		return l.failed // the log is full; writeOut has said so
	}
	if err := l.encode(line); err != nil {
		return err
	}
	switch {
	case len(l.buffer) >= logBuffer:
		l.writeOut()
	case l.flush == nil:
		l.flush = time.AfterFunc(logDelay, l.delayed)
	}
	return l.failed
}

// encode puts a line behind those that wait. People read it as it is.
func (l *logWriter) encode(line Line) error {
	w := bytes.NewBuffer(l.buffer)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	l.buffer = w.Bytes()
	return nil
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
		// It has a JSON form.
		_ = l.encode(Line{Time: l.now(), Step: l.step, Level: "Warn", Text: fmt.Sprintf("The log has reached %d bytes; the rest is left out.", int64(maxLog))})
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
	err = l.linesOf(run, func(line Line) { last = max(last, line.Seq) })
	return last, err
}

// linesOf reads the lines of a run.
func (l *logWriter) linesOf(run string, each func(Line)) error {
	key := []byte(`"run":"` + run + `"`)
	_, err := logs.Follow{}.Read(context.Background(), l.file.Name(), func(e logs.Entry) error {
		var line Line
		if bytes.Contains(e.Line, key) && json.Unmarshal(e.Line, &line) == nil && line.Run == run {
			each(line)
		}
		return nil
	})
	return err
}
