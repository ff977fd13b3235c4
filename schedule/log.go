package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ingot.dev/ingot"
)

// line is one line of a pipeline's log.
type line struct {
	Pipeline string `json:"pipeline"`
	ingot.Tick
}

// writeLog adds a tick to the log of its pipeline, of which each day is a file.
func (s *Scheduler) writeLog(p pipeline, t ingot.Tick) (err error) {
	path := s.logFile(p, t.Time)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(line{p.record.ARN.String(), t})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	return errors.Join(err, f.Close())
}

// logFile is where a pipeline's log of a day is: the log group below the
// namespace, and the log stream. Source: api.md §8.4.
func (s *Scheduler) logFile(p pipeline, at time.Time) string {
	arn := p.record.ARN
	return filepath.Join(s.Dir, arn.Region, arn.Account, filepath.FromSlash(logGroup(p)), at.UTC().Format("2006/01/02")+".log")
}

// logGroup is the log group of a pipeline. One that is no path below a folder
// is taken as a single name.
func logGroup(p pipeline) string {
	group := fmt.Sprintf("/aws/imagebuilder/pipeline/%s", strings.Map(groupRune, p.document.Name))
	if l := p.document.LoggingConfiguration; l != nil && l.PipelineLogGroupName != "" {
		group = l.PipelineLogGroupName
	}
	if group = strings.Trim(group, "/"); filepath.IsLocal(filepath.FromSlash(group)) {
		return group
	}
	return strings.NewReplacer("/", "-", ".", "-").Replace(group)
}

// groupRune replaces what a log group's name cannot have. Source: api.md §8.4.
func groupRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._/-", r):
		return r
	}
	return '-'
}
