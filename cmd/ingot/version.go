package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker: -X main.version=… -X main.commit=…
var (
	version = "devel"
	commit  = ""
)

// apiVersion is the date of the service model that this server speaks.
const apiVersion = "2019-12-02"

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit, Go version and the date of the API model",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.output == "json" {
				return a.printJSON(map[string]string{
					"version": version, "commit": buildCommit(), "go": runtime.Version(), "api": apiVersion,
				})
			}
			fmt.Fprintf(a.stdout, "ingot %s (commit %s, %s, API %s)\n", version, buildCommit(), runtime.Version(), apiVersion)
			return nil
		},
	}
}

func buildCommit() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
