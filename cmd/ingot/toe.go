package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/toe/command"
)

// newToeCommand is the component executor on this host. Its options, output
// and exit status are the vendor's.
func newToeCommand(*app) *cobra.Command { return command.New("toe", version) }

// isExecutor reports whether the program was called by the vendor's name: a
// link or copy of ingot that is named awstoe is that command.
func isExecutor(arg0 string) bool {
	name := strings.ToLower(filepath.Base(arg0))
	return strings.TrimSuffix(name, ".exe") == "awstoe"
}
