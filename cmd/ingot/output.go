package main

import (
	"encoding/json"
	"strings"
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
	for _, start := range []string{"unknown command", "accepts ", "requires ", "invalid argument"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}
