package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// maxLine bounds one line of output, in bytes; longer ones become several events.
const maxLine = 16 << 10

// spool is the numbered events of one job, a JSON line each, in a file: a
// gigabyte of output costs no memory, and line N is event N.
type spool struct {
	path string

	mu      sync.Mutex
	f       *os.File
	size    int64
	seq     int64
	last    Event         // the latest event
	ended   bool          // nothing more will come in this boot
	extra   *Event        // an ending that could not be written
	changed chan struct{} // closed at the next change; nil while nobody waits
}

// openSpool opens or makes a spool. A torn last line, left by a kill, is cut off.
func openSpool(path string) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s := &spool{path: path, f: f}
	if err := s.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}

func (s *spool) load() error {
	r := bufio.NewReaderSize(s.f, 64<<10)
	var last []byte
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		s.size += int64(len(line))
		s.seq++
		last = line
	}
	if err := s.f.Truncate(s.size); err != nil {
		return err
	}
	if last == nil {
		return nil
	}
	return json.Unmarshal(last, &s.last)
}

// append numbers and writes events, a line that is too long as several.
func (s *spool) append(e Event) error {
	parts := []Event{e}
	switch {
	case e.Toe != nil && len(e.Toe.Message) > maxLine:
		parts = parts[:0]
		for _, m := range splitLine(e.Toe.Message) {
			t := *e.Toe
			t.Message = m
			parts = append(parts, Event{Toe: &t})
		}
	case len(e.Line) > maxLine:
		parts = parts[:0]
		for _, l := range splitLine(e.Line) {
			parts = append(parts, Event{Stream: e.Stream, Line: l})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parts {
		if err := s.write(p); err != nil {
			return err
		}
	}
	s.wake()
	return nil
}

func (s *spool) write(e Event) error {
	e.Seq, e.Time = s.seq+1, time.Now().UnixMilli()
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	n, err := s.f.WriteAt(append(line, '\n'), s.size)
	if err != nil {
		return fmt.Errorf("writing event %d: %w", e.Seq, err)
	}
	s.size += int64(n)
	s.seq++
	s.last = e
	return nil
}

// end writes the last event of this boot. If that is not possible, as on a
// full disk, the event is kept in memory instead, so that callers get their end.
func (s *spool) end(e Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(e)
	if err != nil {
		e.Seq, e.Time = s.seq+1, time.Now().UnixMilli()
		s.extra = &e
	} else {
		err = s.f.Sync()
	}
	s.ended = true
	s.wake()
	return err
}

func (s *spool) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// follow copies the events above from to w as they come, until the end of the
// job or of ctx.
func (s *spool) follow(ctx context.Context, from int64, w http.ResponseWriter) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := skipLines(f, from)
	if err != nil {
		return err
	}
	flusher := http.NewResponseController(w)
	for {
		size, changed, tail := s.look()
		if _, err := io.Copy(w, io.NewSectionReader(f, at, size-at)); err != nil {
			return err
		}
		at = max(at, size)
		if changed == nil {
			return writeTail(w, tail, from)
		}
		if err := flusher.Flush(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look returns how much there is and, unless the job has ended, what to wait for.
func (s *spool) look() (size int64, changed <-chan struct{}, tail *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return s.size, nil, s.extra
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.size, s.changed, nil
}

func writeTail(w io.Writer, tail *Event, from int64) error {
	if tail == nil || tail.Seq <= from {
		return nil
	}
	return json.NewEncoder(w).Encode(tail)
}

// skipLines returns the offset behind n lines, or the end of the file.
func skipLines(r io.Reader, n int64) (int64, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	var at int64
	for n > 0 {
		piece, err := br.ReadSlice('\n')
		at += int64(len(piece))
		switch {
		case errors.Is(err, io.EOF):
			return at, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return 0, err
		default:
			n--
		}
	}
	return at, nil
}

// splitLine cuts text into pieces of at most maxLine bytes, between runes.
func splitLine(text string) []string {
	var parts []string
	for len(text) > maxLine {
		n := maxLine
		for n > maxLine-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		parts, text = append(parts, text[:n]), text[n:]
	}
	return append(parts, text)
}

// readLines calls emit with every line of r, without its end; longer ones than
// maxLine come in pieces. Bytes that are not UTF-8 become U+FFFD.
func readLines(r io.Reader, emit func(string)) error {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			emit(string(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
