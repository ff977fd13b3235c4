package toe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Statuses of steps, phases, documents and runs (§5.3).
const (
	statusRunning        = "running" // in a file that is read during the run or after a crash
	statusSuccess        = "success"
	statusFailed         = "failed"
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
		Name           string    `json:"name"`
		Status         string    `json:"status"`
		FailureMessage string    `json:"failureMessage"`
		TimeoutSeconds int       `json:"timeoutSeconds"`
		OnFailure      OnFailure `json:"onFailure"`
		MaxAttempts    int       `json:"maxAttempts"`
		Action         string    `json:"action"`
		StartTime      string    `json:"startTime"`
		EndTime        string    `json:"endTime"`
		Inputs         string    `json:"inputs"`  // JSON in a string
		Outputs        string    `json:"outputs"` // JSON in a string
		Loop           any       `json:"loop"`
		DetailedOutput any       `json:"detailedOutput"`

		encoded []byte // of a finished step: with many steps each one is encoded once only
	}
)

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

// encode is the file's text: one line for each step.
func (r *runRecord) encode() ([]byte, error) {
	head := *r
	head.Documents = nil
	var documents [][]byte
	for _, d := range r.Documents {
		b, err := d.encode()
		if err != nil {
			return nil, err
		}
		documents = append(documents, b)
	}
	return nest(head, "documents", documents)
}

func (d *documentRecord) encode() ([]byte, error) {
	head := *d
	head.Phases = nil
	var phases [][]byte
	for _, p := range d.Phases {
		b, err := p.encode()
		if err != nil {
			return nil, err
		}
		phases = append(phases, b)
	}
	return nest(head, "phases", phases)
}

func (p *phaseRecord) encode() ([]byte, error) {
	head := *p
	head.Steps = nil
	var steps [][]byte
	for _, s := range p.Steps {
		b, err := s.encode()
		if err != nil {
			return nil, err
		}
		steps = append(steps, b)
	}
	return nest(head, "steps", steps)
}

func (s *stepRecord) encode() ([]byte, error) {
	if s.encoded != nil {
		return s.encoded, nil
	}
	b, err := marshal(s)
	if err == nil && s.Status != statusRunning {
		s.encoded = b
	}
	return b, err
}

// nest is the JSON object head with one more key, a list of encoded parts.
func nest(head any, key string, parts [][]byte) ([]byte, error) {
	b, err := marshal(head)
	if err != nil {
		return nil, err
	}
	size := len(b) + len(key) + 16
	for _, p := range parts {
		size += len(p) + 2
	}
	out := make([]byte, 0, size)
	out = append(out, b[:len(b)-1]...)
	out = append(out, `,"`+key+`":[`...)
	for i, p := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, '\n'), p...)
	}
	return append(out, "]}"...), nil
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

// replaceFile replaces a file in one move, so that a reader sees the old or
// the new one, also after a crash of this process. It does not sync: a log
// that a power failure sets back by a moment does no harm.
func replaceFile(path string, data []byte) error {
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
