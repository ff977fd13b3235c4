package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newEventCommand(a *app) *cobra.Command {
	event := &cobra.Command{Use: "event", Short: "Show what the server told, and to whom it could not", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	event.AddCommand(newEventListCommand(a), newEventRetryCommand(a))
	return event
}

func newEventListCommand(a *app) *cobra.Command {
	var page admin.EventPage
	var waiting bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List events and notices, or deliveries of them, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				if page.Dead || waiting {
					deliveries, err := admin.Call[admin.EventPage, []admin.Delivery](ctx, c.Admin, "event/deliveries", page, nil)
					if err != nil {
						return err
					}
					return a.printDeliveries(deliveries)
				}
				events, err := admin.Call[admin.EventPage, []admin.Event](ctx, c.Admin, "event/list", page, nil)
				if err != nil {
					return err
				}
				return a.printEvents(events)
			})
		},
	}
	list.Flags().BoolVar(&page.Dead, "dead", false, "deliveries that were given up; retry brings them back")
	list.Flags().BoolVar(&waiting, "waiting", false, "deliveries that are under way")
	list.Flags().Int64Var(&page.Before, "before", 0, "go on after this `number` of the first column")
	list.Flags().IntVar(&page.Limit, "limit", 25, "at most so many, up to 100")
	list.MarkFlagsMutuallyExclusive("dead", "waiting")
	return list
}

func (a *app) printEvents(list []admin.Event) error {
	if a.output == "json" {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tTIME\tDELIVERED\tCHANNEL\tSUBJECT")
	for _, e := range list {
		delivered := "yes"
		if e.Open != 0 {
			delivered = "no"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", e.Row, e.Time.Format(time.RFC3339), delivered, e.Channel, e.Subject)
	}
	return w.Flush()
}

func (a *app) printDeliveries(list []admin.Delivery) error {
	if a.output == "json" {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tENDPOINT\tFAILED\tNEXT\tSUBJECT\tPROBLEM")
	for _, d := range list {
		next := "behind another"
		switch {
		case !d.Died.IsZero():
			next = "dead"
		case !d.Due.IsZero():
			next = d.Due.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\n", d.ID, d.Endpoint, d.Attempts, next, d.Subject, d.Problem)
	}
	return w.Flush()
}

func newEventRetryCommand(a *app) *cobra.Command {
	var all bool
	retry := &cobra.Command{
		Use:   "retry ID... | --all",
		Short: "Deliver again what was given up, after what waits",
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return exitError{exitUsage, err}
			}
			if all == (len(ids) > 0) {
				return exitError{exitUsage, errors.New("name deliveries of `ingot event list --dead`, or give --all")}
			}
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				if all {
					return retryAll(ctx, c)
				}
				return retryDeliveries(ctx, c, ids)
			})
		},
	}
	retry.Flags().BoolVar(&all, "all", false, "all of them")
	return retry
}

func parseIDs(args []string) (ids []int64, err error) {
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 1 {
			return nil, fmt.Errorf("%q is not the number of a delivery", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func retryDeliveries(ctx context.Context, c *connection, ids []int64) error {
	for _, id := range ids {
		if _, err := admin.Call[admin.DeliveryID, admin.None](ctx, c.Admin, "event/retry", admin.DeliveryID{ID: id}, nil); err != nil {
			return err
		}
	}
	return nil
}

// retryAll goes from the oldest page on to the newest, as far as they are dead
// now: those that die again meanwhile have higher numbers.
func retryAll(ctx context.Context, c *connection) error {
	var ids []int64
	for page := (admin.EventPage{Dead: true, Limit: admin.MaxEvents}); ; {
		list, err := admin.Call[admin.EventPage, []admin.Delivery](ctx, c.Admin, "event/deliveries", page, nil)
		if err != nil {
			return err
		}
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		if len(list) < page.Limit {
			break
		}
		page.Before = list[len(list)-1].ID
	}
	for i := range ids { // oldest first, as they were written
		if err := retryDeliveries(ctx, c, ids[len(ids)-1-i:len(ids)-i]); err != nil {
			return err
		}
	}
	return nil
}
