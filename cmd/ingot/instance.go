package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newInstanceCommand(a *app) *cobra.Command {
	instance := &cobra.Command{Use: "instance", Short: "List, enter and stop instances, running or kept after a failure", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	instance.AddCommand(newInstanceListCommand(a), newInstanceShellCommand(a), newInstanceStopCommand(a))
	return instance
}

func newInstanceListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the instances of this server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				list, err := admin.Call[admin.None, []admin.Instance](ctx, c.Admin, "instance/list", admin.None{}, nil)
				if err != nil {
					return err
				}
				return a.printInstances(list)
			})
		},
	}
}

func (a *app) printInstances(list []admin.Instance) error {
	if a.output == "json" {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "INSTANCE\tKIND\tPHASE\tADDRESS\tPURPOSE")
	for _, i := range list {
		phase := i.Phase
		if i.Kept {
			phase += ", kept"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.ID, i.Kind, phase, i.Address, i.Purpose)
	}
	return w.Flush()
}

func newInstanceStopCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stop ID...",
		Short: "End instances and remove what they had",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				for _, id := range args {
					if _, err := admin.Call[admin.InstanceName, admin.None](ctx, c.Admin, "instance/stop", admin.InstanceName{ID: id}, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
