package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/build"
)

// Steps that run side by side are each reported once, when they end.
func TestDisplayOnATerminal(t *testing.T) {
	var out bytes.Buffer
	d := &display{w: &out, width: 60, running: map[string]time.Time{}, stop: make(chan struct{})}
	for _, l := range []build.Line{
		{Step: "CheckBoot", Text: "CheckBoot began"},
		{Step: "ApplyTestComponents", Text: "ApplyTestComponents began"},
		{Step: "ApplyTestComponents", Stream: "stdout", Text: "\x1b[2Jclear the screen"},
		{Step: "ApplyTestComponents", Text: "ApplyTestComponents: COMPLETED "},
		{Step: "CheckBoot", Text: "CheckBoot: FAILED it does not boot"},
	} {
		d.show(l)
	}
	d.close()
	text := strings.ReplaceAll(out.String(), "\r\x1b[K", "\n")
	if strings.Contains(text, "\x1b") {
		t.Errorf("what a guest printed drives the terminal: %q", text)
	}
	var ended []string
	for line := range strings.Lines(text) {
		if regexp.MustCompile(`^[A-Z]`).MatchString(line) {
			ended = append(ended, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{"COMPLETED 0.0 s ApplyTestComponents", "FAILED 0.0 s CheckBoot"}
	if diff := cmp.Diff(want, ended); diff != "" {
		t.Errorf("ended steps (-want +got):\n%s", diff)
	}
}

func TestDisplayElsewhere(t *testing.T) {
	var out bytes.Buffer
	d := newDisplay(&out)
	d.show(build.Line{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Step: "S", Component: "c", Level: "Warn", Text: "look"})
	d.close()
	if got, want := out.String(), "03:04:05.000 S c: WARN look\n"; got != want {
		t.Errorf("a line is %q, want %q", got, want)
	}
}
