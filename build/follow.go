package build

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// followPause is how long a reader at the end of a log waits before it looks again.
const followPause = 50 * time.Millisecond

// Follow reads the log of the build whose folder is dir and calls emit for
// each line. With follow it goes on until the line that ends the build, or ctx
// ends, and waits for a log that does not exist yet.
func Follow(ctx context.Context, dir string, follow bool, emit func(Line)) error {
	f, err := openFollowed(ctx, filepath.Join(dir, logFile), follow)
	if err != nil {
		return err
	}
	defer f.Close()
	r := &tail{file: f}
	for {
		over, err := r.emitAll(ctx, emit)
		if err != nil || over || !follow {
			return err
		}
		if err := sleep(ctx, followPause); err != nil {
			return err
		}
	}
}

func openFollowed(ctx context.Context, path string, wait bool) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if err == nil || !wait || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		if err := sleep(ctx, followPause); err != nil {
			return nil, err
		}
	}
}

// tail reads whole lines from where it was.
type tail struct {
	file *os.File
	at   int64 // after the last whole line
}

// emitAll emits the lines that are there, and reports whether one ended the build.
func (t *tail) emitAll(ctx context.Context, emit func(Line)) (over bool, err error) {
	if _, err := t.file.Seek(t.at, io.SeekStart); err != nil {
		return false, fmt.Errorf("reading the log: %w", err)
	}
	r := bufio.NewReaderSize(t.file, 256<<10)
	for {
		data, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return false, ctx.Err()
		}
		if err != nil {
			return false, fmt.Errorf("reading the log: %w", err)
		}
		t.at += int64(len(data)) + 1
		var line Line
		if json.Unmarshal(data, &line) != nil {
			continue // what a killed server left unfinished
		}
		emit(line)
		if line.End != "" {
			return true, nil
		}
	}
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
