package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// Limits of PutLogEvents, and how the lines are gathered for it.
const (
	maxBatchEvents = 10_000
	maxBatchSize   = 1 << 20 // bytes, each event counting as its text and eventOverhead
	eventOverhead  = 26
	maxEventSize   = 256<<10 - eventOverhead // bytes; a longer line becomes several events
	batchDelay     = time.Second             // the most that a line waits for others
	batchTimeout   = 30 * time.Second        // for one batch with its repetitions
	waitingLines   = 64                      // then Add waits
)

// LogStream sends lines to a log stream in the background.
type LogStream struct {
	client                *Client
	group, stream, region string
	lines                 chan logLine
	done                  chan struct{}
	err                   error // the first; the sender's until done is closed
}

// logLine is an event, or the wish to have all events before it sent.
type logLine struct {
	event logEvent
	sent  chan<- error // nil: an event
}

type logEvent struct {
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970
	Message   string `json:"message"`
}

// LogStream opens a log stream; group and stream are made if they are missing.
// An empty region stands for the machine's. Who calls it must Close it.
func (c *Client) LogStream(group, stream, region string) *LogStream {
	l := &LogStream{
		client: c, group: group, stream: stream, region: region,
		lines: make(chan logLine, waitingLines), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// Add sends a line. It waits when the service is slower than the lines come,
// but no longer once the service has failed.
func (l *LogStream) Add(at time.Time, line string) {
	line = strings.ToValidUTF8(line, "\ufffd")
	for len(line) > maxEventSize {
		end := maxEventSize
		for !startsRune(line[end]) {
			end--
		}
		l.lines <- logLine{event: logEvent{at.UnixMilli(), line[:end]}}
		line = line[end:]
	}
	l.lines <- logLine{event: logEvent{at.UnixMilli(), line}}
}

func startsRune(b byte) bool { return b&0xC0 != 0x80 }

// Flush sends what has been added and reports whether all of it, from the
// beginning, has arrived.
func (l *LogStream) Flush() error {
	sent := make(chan error)
	l.lines <- logLine{sent: sent}
	return <-sent
}

// Close sends what is left, like Flush. After it there must be no other call.
func (l *LogStream) Close() error {
	close(l.lines)
	<-l.done
	return l.err
}

// run gathers lines and sends them until the stream is closed.
func (l *LogStream) run() {
	defer close(l.done)
	var b logBatch
	var due <-chan time.Time
	for {
		select {
		case line, more := <-l.lines:
			if !more {
				l.send(&b)
				return
			}
			if line.sent != nil {
				l.send(&b)
				line.sent <- l.err
				continue
			}
			if !b.fits(line.event) {
				l.send(&b)
			}
			if len(b.events) == 0 {
				due = time.After(batchDelay)
			}
			b.add(line.event)
		case <-due:
			l.send(&b)
		}
	}
}

// logBatch is what one request sends.
type logBatch struct {
	events []logEvent
	size   int
	last   int64 // newest time so far: a batch must not go back in time, as a clock may
}

func (b *logBatch) fits(e logEvent) bool {
	return len(b.events) < maxBatchEvents && b.size+len(e.Message)+eventOverhead <= maxBatchSize
}

func (b *logBatch) add(e logEvent) {
	b.last = max(b.last, e.Timestamp)
	e.Timestamp = b.last
	b.events = append(b.events, e)
	b.size += len(e.Message) + eventOverhead
}

// send empties the batch. After a failure there is no point in going on: the
// stream would have a hole.
func (l *LogStream) send(b *logBatch) {
	if len(b.events) > 0 && l.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
		defer cancel()
		if err := l.put(ctx, b.events); err != nil {
			l.err = fmt.Errorf("writing log stream %s of log group %s: %w", l.stream, l.group, explain(err))
		}
	}
	b.events, b.size = b.events[:0], 0
}

func (l *LogStream) put(ctx context.Context, events []logEvent) error {
	request := map[string]any{"logGroupName": l.group, "logStreamName": l.stream, "logEvents": events}
	var answer struct {
		Rejected any `json:"rejectedLogEventsInfo"`
	}
	err := l.call(ctx, "PutLogEvents", request, &answer)
	if isCode(err, "ResourceNotFoundException") {
		if err = l.create(ctx); err == nil {
			err = l.call(ctx, "PutLogEvents", request, &answer)
		}
	}
	if err == nil && answer.Rejected != nil {
		err = fmt.Errorf("the service rejected lines: %v", answer.Rejected)
	}
	return err
}

// create makes the stream, and the group if need be. Another machine may have
// been faster.
func (l *LogStream) create(ctx context.Context) error {
	stream := map[string]any{"logGroupName": l.group, "logStreamName": l.stream}
	err := l.call(ctx, "CreateLogStream", stream, nil)
	if isCode(err, "ResourceNotFoundException") {
		err = l.call(ctx, "CreateLogGroup", map[string]any{"logGroupName": l.group}, nil)
		if err == nil || isCode(err, "ResourceAlreadyExistsException") {
			err = l.call(ctx, "CreateLogStream", stream, nil)
		}
	}
	if isCode(err, "ResourceAlreadyExistsException") {
		return nil
	}
	return err
}

func (l *LogStream) call(ctx context.Context, operation string, in, out any) error {
	s, err := l.client.service(ctx, "logs", "CLOUDWATCH_LOGS", l.region)
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", operation, err)
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Logs_20140328." + operation}}
	return s.call(ctx, http.MethodPost, "/", header, body, out)
}

// isCode reports whether a service answered with an error of a name.
func isCode(err error, code string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == code
}
