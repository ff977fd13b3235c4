package main

import (
	"github.com/spf13/cobra"

	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/server"
)

// newShimCommand is the process that holds one instance. Only the server starts it.
func newShimCommand(*app) *cobra.Command {
	return &cobra.Command{
		Use:    "shim DIR",
		Short:  "Hold one instance (started by the server)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return shim.Main(args[0], server.Machines())
		},
	}
}
