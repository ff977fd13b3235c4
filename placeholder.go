package ingot

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Placeholders expands the dynamic values in names and tags of a build's
// outputs. Source: api.md §6, distribution.md §3.2.
type Placeholders struct {
	BuildDate    time.Time
	BuildVersion int
	Parameter    func(name string) (string, error) // value of an SSM parameter; nil: there are none
}

var placeholder = regexp.MustCompile(`\{\{\s*(imagebuilder|ssm):([^{}]*?)\s*\}\}`)

// buildDateForm is the date where no format is given: hyphens in the time,
// because AMI names have no colon.
const buildDateForm = "2006-01-02T15-04-05.000Z"

// Expand replaces the placeholders of text. A placeholder that is not known is
// CodeInvalid; an unknown word without the prefix imagebuilder: is plain text.
func (p Placeholders) Expand(text string) (string, error) {
	var failed error
	expanded := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		part := placeholder.FindStringSubmatch(match)
		value, err := p.value(part[1], part[2])
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	return expanded, failed
}

func (p Placeholders) value(prefix, name string) (string, error) {
	if prefix == "ssm" {
		if p.Parameter == nil {
			return "", Errorf(CodeInvalid, "There is no parameter '%s': this server has no parameter store.", name)
		}
		return p.Parameter(name)
	}
	name, format, formatted := strings.Cut(name, ":")
	switch {
	case name == "buildVersion" && !formatted:
		return strconv.Itoa(p.BuildVersion), nil
	case name == "buildDate" && !formatted:
		return p.BuildDate.UTC().Format(buildDateForm), nil
	case name == "buildDate":
		return formatDate(p.BuildDate.UTC(), format)
	}
	return "", Errorf(CodeInvalid, "The placeholder 'imagebuilder:%s' is unknown. Known are buildDate and buildVersion.", name)
}

// formatDate writes a date in the letters yyyy MM dd HH mm ss SSS and literal "-_.".
func formatDate(t time.Time, format string) (string, error) {
	letters := []struct{ from, value string }{
		{"yyyy", t.Format("2006")},
		{"MM", t.Format("01")},
		{"dd", t.Format("02")},
		{"HH", t.Format("15")},
		{"mm", t.Format("04")},
		{"SSS", fmt.Sprintf("%03d", t.Nanosecond()/int(time.Millisecond))},
		{"ss", t.Format("05")},
	}
	var b strings.Builder
next:
	for format != "" {
		for _, l := range letters {
			if rest, ok := strings.CutPrefix(format, l.from); ok {
				b.WriteString(l.value)
				format = rest
				continue next
			}
		}
		if !strings.ContainsRune("-_.", rune(format[0])) {
			return "", Errorf(CodeInvalid, "The date format at '%s' is unknown. Use yyyy, MM, dd, HH, mm, ss, SSS and the signs - _ . between them.", format)
		}
		b.WriteByte(format[0])
		format = format[1:]
	}
	return b.String(), nil
}

// hasBuildDate reports whether each build gives text another value.
func hasBuildDate(text string) bool {
	for _, part := range placeholder.FindAllStringSubmatch(text, -1) {
		if name, _, _ := strings.Cut(part[2], ":"); part[1] == "imagebuilder" && name == "buildDate" {
			return true
		}
	}
	return false
}

// checkPlaceholders checks that text will expand, whatever the parameters hold.
func checkPlaceholders(field, text string) error {
	sample := Placeholders{BuildVersion: 1, Parameter: func(string) (string, error) { return "value", nil }}
	if _, err := sample.Expand(text); err != nil {
		return InvalidField(field, "%s", err)
	}
	return nil
}
