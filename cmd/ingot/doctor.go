package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/doctor"
)

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show what this host can do, what is missing, and what installs it",
		Long: "Examines this host by doing: boots a probe guest for KVM, makes a container's namespaces,\n" +
			"looks for tools, room and network. The exit status is 0 when builds can run here.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			r, err := examine(cmd.Context(), s)
			if err != nil {
				return err
			}
			if err := a.printReport(r); err != nil {
				return err
			}
			if !r.OK {
				return exitError{exitFailed, errors.New("builds cannot run on this host; see above")}
			}
			return nil
		},
	}
}

// mirror is where the packages of the managed bases come from.
const mirror = "deb.debian.org:80"

// examine uses folders of its own: a server may be at work in the data directory.
func examine(ctx context.Context, s settings) (r doctor.Report, err error) {
	dir, err := os.MkdirTemp("", "ingot-doctor-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	const tag = "doctor"
	c, err := container.New(container.Config{Dir: dir, Runtime: dir, Tag: tag})
	if err != nil {
		return r, err
	}
	q, err := qemu.New(qemu.Config{Dir: dir, Runtime: dir, Cache: filepath.Join(dir, "cache"), Tag: tag})
	if err != nil {
		return r, err
	}
	host := doctor.Host{Data: s.Data, Drivers: []compute.Driver{c, q}, Mirror: mirror}
	return host.Examine(ctx), ctx.Err()
}

func (a *app) printReport(r doctor.Report) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, p := range r.Parts {
		fmt.Fprintf(w, "%s: %s\n", p.Name, p.Purpose)
		for _, c := range p.Checks {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", mark(c.OK), c.Name, c.Detail)
			if c.Remedy != "" {
				fmt.Fprintf(w, "  \t\t-> %s\n", c.Remedy)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Install != "" {
		fmt.Fprintf(a.stdout, "\nTo install everything that is missing:\n  %s\n", r.Install)
	}
	return nil
}

func mark(ok bool) string {
	if ok {
		return "ok"
	}
	return "--"
}
