package yamldoc

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity tells faults from remarks.
type Severity string

const (
	Error   Severity = "error"   // the document cannot be used
	Warning Severity = "warning" // it can, but probably not as meant
)

// Finding is one fault of a document.
type Finding struct {
	Line     int    // from 1
	Column   int    // from 1, in characters
	Path     string // of the value at fault, as in phases[0].steps[2].action; empty: the document
	Value    string // the value at fault, shortened
	Message  string // the rule, with the names a user knows
	Severity Severity
}

// String is the finding on one line, as in 12:9: phases[0].name: message.
func (f Finding) String() string {
	s := fmt.Sprintf("%d:%d: ", f.Line, f.Column)
	if f.Severity == Warning {
		s += "warning: "
	}
	if f.Path != "" {
		s += f.Path + ": "
	}
	return s + f.Message
}

// Findings are the faults of one document.
type Findings []Finding

// Sort puts the findings in document order and drops repetitions.
func (fs Findings) Sort() Findings {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(fs)
}

// Errors are the findings that make the document unusable.
func (fs Findings) Errors() Findings { return fs.of(Error) }

// Warnings are the others.
func (fs Findings) Warnings() Findings { return fs.of(Warning) }

func (fs Findings) of(s Severity) Findings {
	var out Findings
	for _, f := range fs {
		if f.Severity == s {
			out = append(out, f)
		}
	}
	return out
}

// Err is nil when the document can be used, else one error with a line for
// each fault.
func (fs Findings) Err() error {
	var lines []string
	for _, f := range fs.Errors() {
		lines = append(lines, f.String())
	}
	if lines == nil {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Print writes each finding with its line of the document and a caret below
// the place. path names the document.
func (fs Findings) Print(w io.Writer, path string, document []byte) error {
	lines := strings.Split(strings.TrimPrefix(string(document), "\ufeff"), "\n")
	for _, f := range fs {
		if _, err := fmt.Fprintf(w, "%s:%s\n", path, printable(f.String())); err != nil {
			return err
		}
		if f.Line < 1 || f.Line > len(lines) {
			continue
		}
		line, before := excerpt(strings.TrimRight(lines[f.Line-1], "\r"), f.Column)
		if _, err := fmt.Fprintf(w, "    %s\n    %s^\n", printable(line), indent(before)); err != nil {
			return err
		}
	}
	return nil
}

const maxExcerpt = 200 // bytes of a line that people can still look at

// excerpt is a line, or the part of it around a column, and what of that
// stands before the column.
func excerpt(line string, column int) (part, before string) {
	at := 0
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	if len(line) <= maxExcerpt {
		return line, line[:at]
	}
	from := min(max(0, at-maxExcerpt/2), len(line)-maxExcerpt)
	to := from + maxExcerpt
	for !utf8.RuneStart(line[from]) {
		from++
	}
	for to < len(line) && !utf8.RuneStart(line[to]) {
		to++
	}
	part, before = line[from:to], line[from:at]
	if from > 0 {
		part, before = "…"+part, "…"+before
	}
	if to < len(line) {
		part += "…"
	}
	return part, before
}

// indent is white space as wide as a text: tabs stay tabs, so that the caret
// stands right whatever their width.
func indent(before string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
}

// printable shows control characters, which could do things to a terminal, as
// something else.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
