package logs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Bounds of a stream of events.
const (
	heartbeat  = 15 * time.Second // without a line
	writeLimit = 30 * time.Second // for what the client has not read of a write
	bufferSize = 32 << 10         // bytes of a write
	// lifetime is how long one answer may last: after it the client, which goes
	// on by itself, must show again that it may.
	lifetime = time.Hour
)

// Events answers a request with the lines of a log as they come, as server-sent
// events. The id of an event is the offset behind its line: with it in From
// another request goes on exactly there. The last event, of the type "end",
// says the status that ended the log. While nothing comes there are comments.
//
// A client may read as slowly as it likes, up to writeLimit for each buffer:
// nothing waits for it but this call, whose memory does not grow.
type Events struct {
	Follow
	File string
}

// Ended is the data of the last event.
type Ended struct {
	Status string `json:"status"`
}

// EventEnd is the type of the last event.
const EventEnd = "end"

// Serve returns an error only if it did not begin to answer.
func (e Events) Serve(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), lifetime)
	defer cancel()
	s := newEventWriter(w)
	e.Idle = s.idle
	reached, err := e.Read(ctx, e.File, func(entry Entry) error { return s.event(entry.Next, "", entry.Line) })
	if err != nil && !s.begun {
		return err
	}
	if err == nil && reached.End != "" {
		var data []byte
		if data, err = json.Marshal(Ended{reached.End}); err == nil {
			err = s.event(reached.Next, EventEnd, data)
		}
	}
	if err == nil || ctx.Err() != nil {
		_ = s.flush() // a client that is gone needs nothing
	}
	return nil
}

// eventWriter writes events. Whoever does not take them in time is cut off,
// however long the answer lasts.
type eventWriter struct {
	http    http.ResponseWriter
	control *http.ResponseController
	buffer  *bufio.Writer
	begun   bool
	last    time.Time // when something was sent
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	s := &eventWriter{http: w, control: http.NewResponseController(w)}
	s.buffer = bufio.NewWriterSize(timely{s}, bufferSize)
	return s
}

// begin sends the header. The bounds of other requests on the time of the
// whole answer do not hold for this one.
func (s *eventWriter) begin() error {
	if s.begun {
		return nil
	}
	s.begun, s.last = true, time.Now()
	if err := s.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	h := s.http.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for proxies that would wait for more
	s.http.WriteHeader(http.StatusOK)
	_, err := s.buffer.WriteString("retry: 1000\n\n")
	return err
}

func (s *eventWriter) event(id int64, name string, data []byte) error {
	if err := s.begin(); err != nil {
		return err
	}
	var number [20]byte
	s.buffer.WriteString("id: ") // its error comes back with the last write
	s.buffer.Write(strconv.AppendInt(number[:0], id, 10))
	if name != "" {
		fmt.Fprintf(s.buffer, "\nevent: %s", name)
	}
	s.buffer.WriteString("\ndata: ")
	s.buffer.Write(data)
	_, err := s.buffer.WriteString("\n\n")
	return err
}

// idle sends what waits, and a sign of life when nothing did for long.
func (s *eventWriter) idle() error {
	if err := s.begin(); err != nil {
		return err
	}
	if time.Since(s.last) >= heartbeat {
		if _, err := s.buffer.WriteString(":\n\n"); err != nil {
			return err
		}
	}
	if s.buffer.Buffered() == 0 {
		return nil
	}
	return s.flush()
}

func (s *eventWriter) flush() error {
	s.last = time.Now()
	if err := s.buffer.Flush(); err != nil {
		return err
	}
	if err := s.limit(); err != nil {
		return err
	}
	return s.control.Flush()
}

func (s *eventWriter) limit() error {
	err := s.control.SetWriteDeadline(time.Now().Add(writeLimit))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// timely bounds the time of each write to the client.
type timely struct{ *eventWriter }

func (t timely) Write(p []byte) (int, error) {
	if err := t.limit(); err != nil {
		return 0, err
	}
	return t.http.Write(p)
}
