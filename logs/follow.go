package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"ingot.dev/ingot"
)

// Entry is a line of a log.
type Entry struct {
	Next int64  // offset behind it, where the next one begins
	Line []byte // JSON, without an end; it is overwritten after emit
}

// Reached is how far a log was read.
type Reached struct {
	Next int64  // offset behind the last line, where a later call goes on
	End  string // how the log ended, as its last line says; empty: it goes on
}

// Follow says what is read of a log.
type Follow struct {
	From  int64     // 0, or the Next of the last entry that was read
	Since time.Time // lines before it are left out; zero: none
	// Wait goes on until the log ends or ctx, and waits for a log that does not
	// exist yet.
	Wait bool
	// Idle is called when there is nothing to read, again and again; nil: nothing.
	// Its error ends the call.
	Idle func() error
}

const (
	pause    = 50 * time.Millisecond // at the end of a log, before looking again
	maxLine  = 8 << 20               // bytes of a line: more than the events of guests can have
	readSize = 64 << 10              // bytes of the buffer of a reader
)

// Read passes the lines of a log on. Its memory does not depend on the size of
// the log.
func (f Follow) Read(ctx context.Context, path string, emit func(Entry) error) (Reached, error) {
	file, err := f.open(ctx, path)
	if err != nil {
		return Reached{}, err
	}
	defer file.Close()
	r := reader{file: file, since: f.Since, Reached: Reached{Next: f.From}}
	if r.End, err = checkOffset(file, f.From); err != nil {
		return Reached{}, err
	}
	for {
		if err := r.readAll(ctx, emit); err != nil {
			return r.Reached, err
		}
		if r.End != "" || !f.Wait {
			return r.Reached, nil
		}
		if err := f.wait(ctx); err != nil {
			return r.Reached, err
		}
	}
}

func (f Follow) open(ctx context.Context, path string) (*os.File, error) {
	for {
		file, err := os.Open(path)
		if err == nil || !f.Wait || !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
	}
}

func (f Follow) wait(ctx context.Context) error {
	if f.Idle != nil {
		if err := f.Idle(); err != nil {
			return err
		}
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checkOffset refuses an offset that no entry has, and returns the end that the
// line before it says.
func checkOffset(f *os.File, offset int64) (end string, err error) {
	if offset == 0 {
		return "", nil
	}
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if offset > info.Size() {
		return "", ingot.Errorf(ingot.CodeInvalid, "The log has %d bytes and no offset %d. Begin again at 0.", info.Size(), offset)
	}
	behind, line, err := lastLine(f, offset)
	if err == nil && behind != offset {
		return "", ingot.Errorf(ingot.CodeInvalid, "The offset %d is in the middle of a line. Use the id of an event, or begin again at 0.", offset)
	}
	return endOf(line), err
}

// reader reads whole lines from where it was.
type reader struct {
	file  *os.File
	since time.Time
	Reached
}

// readAll passes on the lines that are there.
func (r *reader) readAll(ctx context.Context, emit func(Entry) error) error {
	if _, err := r.file.Seek(r.Next, io.SeekStart); err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	b := bufio.NewReaderSize(r.file, readSize)
	for {
		line, err := readLine(b)
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		r.Next += int64(len(line)) + 1
		if !json.Valid(line) {
			continue // what a killed server left unfinished
		}
		r.End = endOf(line)
		if !r.since.IsZero() && timeOf(line).Before(r.since) {
			continue
		}
		if err := emit(Entry{r.Next, line}); err != nil {
			return err
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

// endOf is the member "end" of a line: the last one of an image's log has it.
func endOf(line []byte) string {
	if !bytes.Contains(line, []byte(`"end":"`)) {
		return ""
	}
	var l struct {
		End string `json:"end"`
	}
	if json.Unmarshal(line, &l) != nil {
		return ""
	}
	return l.End
}

func timeOf(line []byte) time.Time {
	var l struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(line, &l) != nil {
		return time.Time{}
	}
	return l.Time
}
