package ingot

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// LogStream names a log as the service does: a stream of a group, in an account
// and region. Source: api.md §8.4.
type LogStream struct {
	Scope
	Group string
	Name  string
}

// LogLine is a line that is to be written to a log stream.
type LogLine struct {
	Order  int64 // grows from line to line; the store sets it
	Stream LogStream
	Text   string // without an end
}

// logGroups begins the names of groups that are not configured.
const logGroups = "/aws/imagebuilder/"

// ImageLog is the log of an image build.
func ImageLog(arn ARN, image *model.Image) LogStream {
	s := LogStream{arn.Scope(), logGroups + strings.Map(groupRune, image.Name), fmt.Sprintf("%s/%d", arn.Version, arn.Build)}
	if l := image.LoggingConfiguration; l != nil && l.LogGroupName != "" {
		s.Group = l.LogGroupName
	}
	return s
}

// PipelineLog is the log of a pipeline on the day of a time.
func PipelineLog(arn ARN, p *model.ImagePipeline, at time.Time) LogStream {
	s := LogStream{arn.Scope(), logGroups + "pipeline/" + strings.Map(groupRune, p.Name), at.UTC().Format("2006/01/02")}
	if l := p.LoggingConfiguration; l != nil && l.PipelineLogGroupName != "" {
		s.Group = l.PipelineLogGroupName
	}
	return s
}

// groupRune replaces what a log group's name cannot have. Source: api.md §8.4.
func groupRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._/-", r):
		return r
	}
	return '-'
}

var (
	groupForm  = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,512}$`) // the model's LogGroupName
	streamForm = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
)

// maxStream bounds the name of a stream, in bytes: version, build and the name of an image.
const maxStream = 200

// Check says what is wrong with the names of a log.
func (s LogStream) Check() error {
	if err := CheckLogGroup(s.Group); err != nil {
		return err
	}
	if len(s.Name) > maxStream || !streamForm.MatchString(s.Name) {
		return Errorf(CodeInvalid, "The log stream '%.300s' is not a name of one: those of images are like 1.0.0/1, those of pipelines like 2026/12/31.", s.Name)
	}
	return nil
}

// CheckLogGroup says what is wrong with the name of a log group.
func CheckLogGroup(name string) error {
	if !groupForm.MatchString(name) {
		return Errorf(CodeInvalid, "The log group '%.600s' is not a name of one: it has 1 to 512 letters, digits and characters of '._/-'.", name)
	}
	return nil
}
