package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newImageCommand(a *app) *cobra.Command {
	image := &cobra.Command{Use: "image", Short: "List, launch, check, export and remove images", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	image.AddCommand(
		newImageListCommand(a), newImageShowCommand(a), newImageLaunchCommand(a),
		newImageCheckCommand(a), newImageExportCommand(a), newImageDiffCommand(a), newImageRemoveCommand(a),
	)
	return image
}

func newImageListCommand(a *app) *cobra.Command {
	all := false
	list := &cobra.Command{
		Use:   "list",
		Short: "List the images of this server, bases included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				images, err := admin.Call[admin.None, []admin.Image](ctx, c.Admin, "image/list", admin.None{}, nil)
				if err != nil {
					return err
				}
				if !all {
					images = slices.DeleteFunc(images, func(i admin.Image) bool { return i.State != "available" })
				}
				if a.output == "json" {
					return a.printJSON(images)
				}
				w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
				fmt.Fprintln(w, "AMI\tNAME\tOWNER\tSIZE\tCREATED\tSTATE")
				for _, i := range images {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", i.ID, i.Name, i.Owner, byteSize(i.SizeBytes), i.Created.Format("2006-01-02 15:04:05"), i.State)
				}
				return w.Flush()
			})
		},
	}
	list.Flags().BoolVar(&all, "all", false, "also those that are deprecated, disabled, or deregistered but for their snapshot")
	return list
}

func newImageShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show IMAGE",
		Short: "Show one image: an AMI id or the ARN of an image build",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				i, err := admin.Call[admin.ImageName, admin.Image](ctx, c.Admin, "image/show", admin.ImageName{Image: args[0]}, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(i)
				}
				w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
				for _, row := range [][2]string{
					{"ami", i.ID},
					{"name", i.Name},
					{"description", i.Description},
					{"owner", i.Owner},
					{"image", i.ImageARN},
					{"system", i.OSVersion},
					{"boots by", strings.Join(i.BootModes, ", ")},
					{"parent", i.Parent},
					{"snapshot", i.Snapshot},
					{"disk", fmt.Sprintf("%s, %s stored", byteSize(i.SizeBytes), byteSize(i.StoredBytes))},
					{"created", i.Created.Format("2006-01-02 15:04:05 MST")},
					{"state", i.State},
					{"launched", localTime(i.Launched)},
				} {
					if row[1] != "" {
						fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
					}
				}
				return w.Flush()
			})
		},
	}
}

func newImageLaunchCommand(a *app) *cobra.Command {
	var in admin.ImageLaunch
	var command string
	launch := &cobra.Command{
		Use:   "launch IMAGE",
		Short: "Start an instance of an image; with --exec, run a command in it and end it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Image = args[0]
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				if command == "" && c.embedded {
					return usagef("image launch without --exec needs a running server to keep the instance: start `ingot serve` first")
				}
				instance, err := admin.Call[admin.ImageLaunch, admin.Instance](ctx, c.Admin, "image/launch", in, a.progress)
				if err != nil {
					return err
				}
				if command == "" {
					return a.printInstances([]admin.Instance{instance})
				}
				return a.execAndEnd(ctx, c, instance.ID, command)
			})
		},
	}
	launch.Flags().StringVar(&command, "exec", "", "shell `command` to run in the instance, which ends with it; a failing command is exit status 1")
	launch.Flags().StringVar(&in.Kind, "kind", "", "container or qemu (default: where test phases run)")
	launch.Flags().IntVar(&in.CPUs, "cpus", 0, "number of virtual CPUs")
	launch.Flags().IntVar(&in.MemoryMiB, "memory", 0, "memory in `MiB`")
	return launch
}

// execAndEnd runs a command in an instance made for it.
func (a *app) execAndEnd(ctx context.Context, c *connection, id, command string) (err error) {
	defer func() {
		// The instance ends with us, also when we were interrupted.
		_, stopErr := admin.Call[admin.InstanceName, admin.None](context.WithoutCancel(ctx), c.Admin, "instance/stop", admin.InstanceName{ID: id}, nil)
		if err == nil {
			err = stopErr
		}
	}()
	exit, err := admin.Call[admin.InstanceExec, admin.InstanceExit](ctx, c.Admin, "instance/exec", admin.InstanceExec{ID: id, Command: command}, a.commandOutput)
	if err != nil {
		return err
	}
	if exit.Code != 0 {
		return exitError{exitFailed, fmt.Errorf("%s: the command ended with exit status %d", id, exit.Code)}
	}
	return nil
}

func newImageCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check IMAGE",
		Short: "Boot an image in a virtual machine through its own loader",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				check, err := admin.Call[admin.ImageName, admin.ImageCheck](ctx, c.Admin, "image/check", admin.ImageName{Image: args[0]}, a.progress)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(check)
				}
				fmt.Fprintf(a.stdout, "%s boots (%s) and reached its %s after %.1f s\n", args[0], check.Boot, check.Reached, check.Seconds)
				return nil
			})
		},
	}
}

func newImageExportCommand(a *app) *cobra.Command {
	var format string
	export := &cobra.Command{
		Use:   "export IMAGE FILE",
		Short: "Write an image as a disk file: .qcow2, .raw, .vmdk or .vhd",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := exportRequest(args[0], args[1], format)
			if err != nil {
				return err
			}
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				_, err := admin.Call[admin.ImageExport, admin.None](ctx, c.Admin, "image/export", in, a.progress)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(in)
				}
				fmt.Fprintln(a.stdout, in.Path)
				return nil
			})
		},
	}
	export.Flags().StringVar(&format, "format", "", "format of the file (default: by its name)")
	return export
}

// exportRequest completes a request: the format from the file's name, the path from here.
func exportRequest(image, file, format string) (admin.ImageExport, error) {
	if format == "" {
		format = strings.TrimPrefix(filepath.Ext(file), ".")
	}
	switch format {
	case "raw", "qcow2", "vmdk", "vhd":
	default:
		return admin.ImageExport{}, usagef("%s: format %q: must be raw, qcow2, vmdk or vhd", file, format)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return admin.ImageExport{}, err
	}
	return admin.ImageExport{Image: image, Path: path, Format: format}, nil
}

func newImageDiffCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Show which parts of two images' disks differ",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				d, err := admin.Call[admin.ImagePair, admin.ImageDiff](ctx, c.Admin, "image/diff", admin.ImagePair{A: args[0], B: args[1]}, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(d)
				}
				fmt.Fprintf(a.stdout, "%s differ\n", byteSize(d.ChangedBytes))
				for _, r := range d.Ranges {
					fmt.Fprintf(a.stdout, "%12d  +%s\n", r.Offset, byteSize(r.Length))
				}
				return nil
			})
		},
	}
}

func newImageRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rm IMAGE...",
		Short: "Remove images and the disk blocks that no other image uses",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				for _, image := range args {
					if _, err := admin.Call[admin.ImageName, admin.None](ctx, c.Admin, "image/remove", admin.ImageName{Image: image}, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
