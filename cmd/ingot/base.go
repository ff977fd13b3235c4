package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/base"
	"ingot.dev/ingot/catalog"
)

func newBaseCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "base", Short: "List, build, download, import and remove base images", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	c.AddCommand(
		newBaseListCommand(a), newBaseBuildCommand(a), newBasePullCommand(a),
		newBaseImportCommand(a), newBaseRemoveCommand(a),
	)
	return c
}

// regionFlag names one of the server's regions.
func regionFlag(cmd *cobra.Command, region *string) {
	cmd.Flags().StringVar(region, "region", "", "`name` of the region (default: the server's first)")
}

func newBaseListCommand(a *app) *cobra.Command {
	var in admin.BaseRegion
	list := &cobra.Command{
		Use:   "list",
		Short: "List the base images of the catalogue and which have a disk here",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				bases, err := admin.Call[admin.BaseRegion, []admin.Base](ctx, c.Admin, "base/list", in, nil)
				if err != nil {
					return err
				}
				return a.printBases(bases)
			})
		},
	}
	regionFlag(list, &in.Region)
	return list
}

func newBaseBuildCommand(a *app) *cobra.Command {
	var out, date string
	var in admin.BaseRegion
	build := &cobra.Command{
		Use:   "build NAME",
		Short: "Bootstrap a base image from its distribution's packages",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := catalog.Find(args[0])
			if err != nil {
				return err
			}
			if image.Bootstrap == nil {
				return usagef("base %s cannot be built from packages: run `%s`", image.Name, image.Remedy())
			}
			day, err := parseDay(date)
			if err != nil {
				return err
			}
			recipe := base.Recipe{Name: image.Name, Suite: image.Bootstrap.Suite, Packages: image.Bootstrap.Packages}
			return a.makeBase(cmd.Context(), image, in, out, func(ctx context.Context, file string) error {
				return base.Build(ctx, recipe, base.Options{Out: file, Date: day, Progress: a.stderr})
			})
		},
	}
	regionFlag(build, &in.Region)
	build.Flags().StringVar(&out, "out", "", "write a raw disk to this `file` instead of storing it")
	build.Flags().StringVar(&date, "date", "", "`day` of every timestamp in the image, as 2026-11-21 (default today)")
	return build
}

func parseDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, usagef("--date %q: must look like 2026-11-21", s)
	}
	return t, nil
}

func newBasePullCommand(a *app) *cobra.Command {
	var out string
	var in admin.BaseRegion
	pull := &cobra.Command{
		Use:   "pull NAME",
		Short: "Download a distribution's cloud image as a base image",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := catalog.Find(args[0])
			if err != nil {
				return err
			}
			if image.Download == nil {
				return usagef("base %s is not published for download: run `%s`", image.Name, image.Remedy())
			}
			return a.makeBase(cmd.Context(), image, in, out, func(ctx context.Context, file string) error {
				return base.Pull(ctx, *image.Download, base.Options{Out: file, Progress: a.stderr})
			})
		},
	}
	regionFlag(pull, &in.Region)
	pull.Flags().StringVar(&out, "out", "", "write the disk to this `file`, as published, instead of storing it")
	return pull
}

// makeBase makes a disk, in out or in a file of its own that is then stored.
// No server is held up while the disk is made.
func (a *app) makeBase(ctx context.Context, image catalog.Image, in admin.BaseRegion, out string, do func(context.Context, string) error) error {
	if out != "" {
		return do(ctx, out)
	}
	s, err := a.load()
	if err != nil {
		return err
	}
	dir := dataDir(s.Data).path("cache", "bases")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a place for the disk: %w", err)
	}
	file := filepath.Join(dir, image.Name)
	if err := do(ctx, file); err != nil {
		return err
	}
	return errors.Join(a.addBase(ctx, admin.BaseAdd{BaseRegion: in, Name: image.Name, Path: file}), os.Remove(file))
}

func newBaseImportCommand(a *app) *cobra.Command {
	in := admin.BaseAdd{}
	imp := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a disk file (qcow2, raw, VMDK, VHD, VHDX) a base image",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Name == "" {
				return usagef("base import needs --name: a name of the catalogue or a new one")
			}
			var err error
			if in.Path, err = filepath.Abs(args[0]); err != nil {
				return err
			}
			return a.addBase(cmd.Context(), in)
		},
	}
	imp.Flags().StringVar(&in.Name, "name", "", "`name` of the base")
	regionFlag(imp, &in.Region)
	imp.Flags().StringVar(&in.Format, "format", "", "qcow2, raw, vmdk, vpc or vhdx (default: by the content)")
	return imp
}

func (a *app) addBase(ctx context.Context, in admin.BaseAdd) error {
	return a.withServer(ctx, func(ctx context.Context, c *connection) error {
		b, err := admin.Call[admin.BaseAdd, admin.Base](ctx, c.Admin, "base/add", in, a.progress)
		if err != nil {
			return err
		}
		if a.output == "json" {
			return a.printJSON(b)
		}
		return a.printBases([]admin.Base{b})
	})
}

func newBaseRemoveCommand(a *app) *cobra.Command {
	var in admin.BaseName
	remove := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove the disks of a base image",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				in.Name = args[0]
				_, err := admin.Call[admin.BaseName, admin.None](ctx, c.Admin, "base/remove", in, a.progress)
				return err
			})
		},
	}
	regionFlag(remove, &in.Region)
	return remove
}

func (a *app) printBases(bases []admin.Base) error {
	if a.output == "json" {
		return a.printJSON(bases)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSYSTEM\tUSER\tDISK")
	for _, b := range bases {
		disk := b.AMI
		if !b.Built {
			disk = "no: ingot base " + b.Source + " " + b.Name
			if b.Source == "import" {
				disk = "no: ingot base import FILE --name " + b.Name
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", b.Name, b.OSVersion, b.DefaultUser, disk)
	}
	return w.Flush()
}
