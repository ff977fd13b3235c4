package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"ingot.dev/ingot/admin"
)

// printJSON prints one JSON document.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// isUnknownCommand tells cobra's own complaints about the command line, which
// have no type.
func isUnknownCommand(err error) bool {
	text := err.Error()
	for _, start := range []string{
		"unknown command", "accepts ", "requires ", "invalid argument",
		"required flag", "at least one of the flags", "if any flags",
	} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// progress shows what a long operation says on standard error.
func (a *app) progress(m admin.Message) {
	if m.Progress != "" {
		fmt.Fprintln(a.stderr, m.Progress)
	}
}

// commandOutput passes on what a command in an instance printed.
func (a *app) commandOutput(m admin.Message) {
	switch {
	case m.Line == nil:
		a.progress(m)
	case m.Stream == "stderr":
		fmt.Fprintln(a.stderr, *m.Line)
	default:
		fmt.Fprintln(a.stdout, *m.Line)
	}
}

// byteSize is a size for people.
func byteSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
