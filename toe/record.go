package toe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// Statuses of steps, phases, documents and runs (§5.3).
const (
	statusRunning        = "running" // in a file that is read during the run or after a crash
	statusSuccess        = "success"
	statusFailed         = "failed"
	statusSkipped        = "skipped"
	statusIgnoredFailure = "ignoredFailure"
	statusSuccessIgnored = "successWithIgnoredFailure"
)

// The records are what detailedoutput.json says (§12.4).
type (
	runRecord struct {
		ExecutionID    string            `json:"executionId"`
		Status         string            `json:"status"`
		StartTime      string            `json:"startTime"`
		EndTime        string            `json:"endTime"`
		FailureMessage string            `json:"failureMessage"`
		Documents      []*documentRecord `json:"documents,omitempty"`
	}
	documentRecord struct {
		Name           string         `json:"name"`
		FilePath       string         `json:"filePath"`
		Status         string         `json:"status"`
		Description    string         `json:"description"`
		StartTime      string         `json:"startTime"`
		EndTime        string         `json:"endTime"`
		FailureMessage string         `json:"failureMessage"`
		Phases         []*phaseRecord `json:"phases,omitempty"`
	}
	phaseRecord struct {
		Name           string        `json:"name"`
		Status         string        `json:"status"`
		StartTime      string        `json:"startTime"`
		EndTime        string        `json:"endTime"`
		FailureMessage string        `json:"failureMessage"`
		Steps          []*stepRecord `json:"steps,omitempty"`
	}
	stepRecord struct {
		Name           string      `json:"name"`
		Status         string      `json:"status"`
		FailureMessage string      `json:"failureMessage"`
		TimeoutSeconds int         `json:"timeoutSeconds"`
		OnFailure      OnFailure   `json:"onFailure"`
		MaxAttempts    int         `json:"maxAttempts"`
		Action         string      `json:"action"`
		StartTime      string      `json:"startTime"`
		EndTime        string      `json:"endTime"`
		Inputs         string      `json:"inputs"`  // JSON in a string
		Outputs        string      `json:"outputs"` // JSON in a string
		Loop           *loopRecord `json:"loop"`
		// Of ExecuteDocument, a run for each document; null for other modules.
		DetailedOutput []*runRecord `json:"detailedOutput,omitempty"`

		encoded []byte // but for DetailedOutput, of a finished step: with many steps each one is encoded once only
	}
)

// loopRecord is the loop of a step.
type loopRecord struct {
	Name             string `json:"name"`
	Type             string `json:"type"` // for or forEach
	Iterations       int    `json:"iterations"`
	FailedIterations []int  `json:"failedIterations"`
}

func newRunRecord(executionID string, now time.Time) *runRecord {
	return &runRecord{ExecutionID: executionID, Status: statusRunning, StartTime: stamp(now)}
}

// stamp is a time as detailedoutput.json writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// rollUp is the status of a whole from those of its parts (§5.4).
func rollUp[T any](parts []T, status func(T) string) string {
	out := statusSuccess
	for _, p := range parts {
		switch status(p) {
		case statusFailed:
			return statusFailed
		case statusIgnoredFailure, statusSuccessIgnored:
			out = statusSuccessIgnored
		}
	}
	return out
}

func (p *phaseRecord) finish(now time.Time) {
	p.EndTime, p.Status = stamp(now), rollUp(p.Steps, func(s *stepRecord) string { return s.Status })
	if p.Status == statusFailed {
		p.FailureMessage = fmt.Sprintf("Phase %s failed!", p.Name)
	}
}

func (d *documentRecord) finish(now time.Time) {
	d.EndTime, d.Status = stamp(now), rollUp(d.Phases, func(p *phaseRecord) string { return p.Status })
	if d.Status == statusFailed {
		d.FailureMessage = fmt.Sprintf("Document %s failed!", d.FilePath)
	}
}

// finish also closes what was under way when the run was cut off.
func (r *runRecord) finish(now time.Time) {
	for _, d := range r.Documents {
		for _, p := range d.Phases {
			if p.Status == statusRunning {
				p.finish(now)
			}
		}
		if d.Status == statusRunning {
			d.finish(now)
		}
	}
	r.EndTime, r.Status = stamp(now), rollUp(r.Documents, func(d *documentRecord) string { return d.Status })
	for _, d := range r.Documents {
		if r.FailureMessage == "" {
			r.FailureMessage = d.FailureMessage
		}
	}
}

// Bounds of detailedoutput.json, all of which is in memory and written often.
// console.log has everything.
const (
	maxRecordedText = 1 << 20  // bytes of a text, the last ones
	maxRecorded     = 16 << 20 // bytes of all texts together; from then on
	minRecordedText = 1 << 10  // bytes of a text are enough
)

// recording is how detailedoutput.json is kept up to date.
type recording struct {
	size int       // bytes of texts in it
	err  error     // the first one
	last time.Time // when the file was last written
	took time.Duration
}

// shorten is the part of a text that goes into the record.
func (r *recording) shorten(text string) string {
	limit := maxRecordedText
	if r.size >= maxRecorded {
		limit = minRecordedText
	}
	if len(text) > limit {
		text = text[len(text)-limit:]
	}
	r.size += len(text)
	return text
}

// updateRecord writes detailedoutput.json before the run ends or pauses.
func (s *session) updateRecord() error { return s.saveRecord(replaceFile) }

// saveRecord writes detailedoutput.json. A failure lasts: the run must not go on,
// however deep the step was nested that found it.
func (s *session) saveRecord(replace func(string, func(*bufio.Writer) error) error) error {
	start := time.Now()
	err := replace(filepath.Join(s.saved.LogFolder, "detailedoutput.json"), s.saved.Record.write)
	if err != nil {
		err = fmt.Errorf("writing detailedoutput.json: %w", err)
	}
	s.recording.last = time.Now()
	s.recording.took = s.recording.last.Sub(start)
	if s.recording.err == nil {
		s.recording.err = err
	}
	return s.recording.err
}

// writeRecord records the end of a step. Of nested documents there may be many
// in a loop, and with them the file grows: they leave some steps out, to spend
// at most a tenth of the time on it.
func (r *run) writeRecord() error {
	if r.caller != nil && time.Since(r.recording.last) < 9*r.recording.took {
		return r.recording.err
	}
	return r.saveRecord(swapFile)
}

// write writes the file's text: one line for each step. It copies the steps
// once only, because it happens after every one of them.
func (r *runRecord) write(w *bufio.Writer) error {
	head := *r
	head.Documents = nil
	return nest(w, head, "documents", r.Documents)
}

func (d *documentRecord) write(w *bufio.Writer) error {
	head := *d
	head.Phases = nil
	return nest(w, head, "phases", d.Phases)
}

func (p *phaseRecord) write(w *bufio.Writer) error {
	head := *p
	head.Steps = nil
	return nest(w, head, "steps", p.Steps)
}

func (s *stepRecord) write(w *bufio.Writer) error {
	b := s.encoded
	if b == nil {
		head := *s
		head.DetailedOutput = nil
		var err error
		if b, err = marshal(head); err != nil {
			return err
		}
		if s.Status != statusRunning {
			s.encoded = b
		}
	}
	if s.DetailedOutput != nil {
		return list(w, b, "detailedOutput", s.DetailedOutput)
	}
	w.Write(b[:len(b)-1]) // a bufio.Writer keeps its first error
	_, err := w.WriteString(`,"detailedOutput":null}`)
	return err
}

// nest writes the JSON object head with one more key, a list of parts.
func nest[T interface{ write(*bufio.Writer) error }](w *bufio.Writer, head any, key string, parts []T) error {
	b, err := marshal(head)
	if err != nil {
		return err
	}
	return list(w, b, key, parts)
}

func list[T interface{ write(*bufio.Writer) error }](w *bufio.Writer, object []byte, key string, parts []T) error {
	w.Write(object[:len(object)-1]) // a bufio.Writer keeps its first error
	w.WriteString(`,"` + key + `":[`)
	for i, p := range parts {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('\n')
		if err := p.write(w); err != nil {
			return err
		}
	}
	_, err := w.WriteString("]}")
	return err
}

// marshal writes text as it is: these files are for people and scripts, not
// for HTML pages.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
