package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
)

func newPipelineCommand(a *app) *cobra.Command {
	pipeline := &cobra.Command{Use: "pipeline", Short: "List and show pipelines, and why they ran or did not", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	pipeline.AddCommand(newPipelineListCommand(a), newPipelineShowCommand(a), newPipelineWhyCommand(a))
	return pipeline
}

func newPipelineListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the pipelines with their last and next runs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				list, err := admin.Call[admin.None, []admin.Pipeline](ctx, c.Admin, "pipeline/list", admin.None{}, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(list)
				}
				accounts, err := admin.Call[admin.None, []admin.Account](ctx, c.Admin, "account/list", admin.None{}, nil)
				if err != nil {
					return err
				}
				return a.printPipelines(list, len(accounts) > 1, len(c.settings.allRegions()) > 1)
			})
		},
	}
}

// printPipelines prints a table, with a column for the account or the region
// where the server has several.
func (a *app) printPipelines(list []admin.Pipeline, accounts, regions bool) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	row := func(account, region string, cells ...string) {
		if regions {
			cells = append([]string{region}, cells...)
		}
		if accounts {
			cells = append([]string{account}, cells...)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row("ACCOUNT", "REGION", "NAME", "STATUS", "SCHEDULE", "LAST RUN", "RESULT", "NEXT RUN")
	for _, p := range list {
		arn, err := ingot.ParseARN(p.ARN)
		if err != nil {
			return err
		}
		row(arn.Account, arn.Region, p.Name, p.Status, orDash(p.Schedule), orDash(p.LastRun), orDash(p.LastRunStatus), orDash(localTime(p.NextRun)))
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// localTime is a time in the zone of this machine, empty for none.
func localTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

func newPipelineShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show PIPELINE",
		Short: "Show one pipeline, by its name or ARN",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				p, err := admin.Call[admin.PipelineName, admin.Pipeline](ctx, c.Admin, "pipeline/show", admin.PipelineName{Pipeline: args[0]}, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(p)
				}
				return a.printPipeline(p)
			})
		},
	}
}

func (a *app) printPipeline(p admin.Pipeline) error {
	failures := ""
	if p.FailureLimit > 0 {
		failures = fmt.Sprintf("%d in a row; disabled at %d", p.Failures, p.FailureLimit)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	for _, row := range [][2]string{
		{"name", p.Name},
		{"arn", p.ARN},
		{"status", p.Status},
		{"schedule", p.Schedule},
		{"time zone", p.Timezone},
		{"runs when", p.Condition},
		{"next run", localTime(p.NextRun)},
		{"last run", p.LastRun},
		{"last image", p.LastImage},
		{"its status", p.LastRunStatus},
		{"failures", failures},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
		}
	}
	return w.Flush()
}

// shownTicks is how many ticks `ingot pipeline why` shows when nothing is said.
const shownTicks = 20

func newPipelineWhyCommand(a *app) *cobra.Command {
	in := admin.PipelineWhy{Limit: shownTicks}
	why := &cobra.Command{
		Use:   "why PIPELINE",
		Short: "Say why a pipeline ran, or did not, at the last times of its schedule",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Limit < 1 {
				return usagef("--last %s: must be at least 1", strconv.Itoa(in.Limit))
			}
			in.Pipeline = args[0]
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				out, err := admin.Call[admin.PipelineWhy, admin.PipelineTicks](ctx, c.Admin, "pipeline/why", in, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(out)
				}
				a.printTicks(out)
				return nil
			})
		},
	}
	why.Flags().IntVar(&in.Limit, "last", shownTicks, "how many `ticks`; the server remembers 100")
	return why
}

// printTicks prints ticks, the newest last, and when the next one is.
func (a *app) printTicks(out admin.PipelineTicks) {
	for i := range out.Ticks {
		t := out.Ticks[len(out.Ticks)-1-i]
		fmt.Fprintf(a.stdout, "%s  %s: %s\n", localTime(t.At), t.Outcome, t.Reason)
		if t.Image != "" {
			fmt.Fprintf(a.stdout, "    %s\n", t.Image)
		}
	}
	switch p := out.Pipeline; {
	case p.Schedule == "":
		fmt.Fprintf(a.stdout, "%s has no schedule: it runs when it is started\n", p.Name)
	case p.NextRun.IsZero() && p.Status == "DISABLED":
		fmt.Fprintf(a.stdout, "%s is DISABLED: it does not run by itself\n", p.Name)
	case p.NextRun.IsZero():
		fmt.Fprintf(a.stdout, "%s is never due again: %s\n", p.Name, p.Schedule)
	default:
		fmt.Fprintf(a.stdout, "%s  next run\n", localTime(p.NextRun))
	}
}
