package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newLifecycleCommand(a *app) *cobra.Command {
	lifecycle := &cobra.Command{Use: "lifecycle", Short: "Preview lifecycle policies, and run them now", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	lifecycle.AddCommand(newLifecyclePreviewCommand(a), newLifecycleRunCommand(a))
	return lifecycle
}

func newLifecyclePreviewCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "preview POLICY",
		Short: "Say what a lifecycle policy would do if it ran now; it does nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				out, err := admin.Call[admin.LifecycleName, admin.LifecyclePreview](ctx, c.Admin, "lifecycle/preview", admin.LifecycleName{Policy: args[0]}, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(out)
				}
				a.printPreview(out)
				return nil
			})
		},
	}
}

func (a *app) printPreview(out admin.LifecyclePreview) {
	for _, r := range out.Rows {
		indent, text := "", r.Resource
		if r.Image != "" {
			indent, text = "    ", fmt.Sprintf("%s in %s", r.Resource, r.Region)
		}
		line := fmt.Sprintf("%s%s %s", indent, r.Action, text)
		if r.Why != "" {
			line += ": " + r.Why
		}
		switch r.State {
		case "SKIPPED":
			line += "; it is kept: " + r.Reason
		case "FAILED":
			line += "; it would fail: " + r.Reason
		case "SUCCESS":
			line += ": it is gone"
		}
		fmt.Fprintln(a.stdout, line)
	}
	name := out.Policy[strings.LastIndex(out.Policy, "/")+1:]
	if len(out.Rows) == 0 {
		fmt.Fprintf(a.stdout, "%s would do nothing\n", name)
	}
	if out.NextRun.IsZero() {
		fmt.Fprintf(a.stdout, "%s is %s: it does not run\n", name, out.Status)
		return
	}
	fmt.Fprintf(a.stdout, "%s  next run\n", localTime(out.NextRun))
}

func newLifecycleRunCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "run POLICY",
		Short: "Let a lifecycle policy run now, and not only at its time of day",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				if c.embedded {
					return usagef("lifecycle run needs a running server to carry it out: start `ingot serve` first")
				}
				_, err := admin.Call[admin.LifecycleName, admin.None](ctx, c.Admin, "lifecycle/run", admin.LifecycleName{Policy: args[0]}, nil)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.stderr, "%s runs; `aws imagebuilder list-lifecycle-executions` shows how it goes\n", args[0])
				return err
			})
		},
	}
}
