package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/build"
)

func newLogsCommand(a *app) *cobra.Command {
	var follow bool
	logs := &cobra.Command{
		Use:   "logs IMAGE-ARN",
		Short: "Print the whole log of a build; with -f, live until it ends",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			c := &connection{settings: s}
			dir := c.logDir(args[0])
			if dir == "" {
				return usagef("%q is not the ARN of an image build: it must look like arn:aws:imagebuilder:%s:%s:image/NAME/1.0.0/1", args[0], s.Region, s.Account)
			}
			var failed error
			err = build.Follow(cmd.Context(), dir, follow, func(l build.Line) {
				if failed == nil {
					failed = a.printLogLine(l)
				}
			})
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: has no log in %s; `aws imagebuilder list-image-build-versions` shows the builds there are", args[0], s.Data)
			}
			return errors.Join(err, failed)
		},
	}
	logs.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the build ends")
	return logs
}

func (a *app) printLogLine(l build.Line) error {
	if a.output == "json" {
		return json.NewEncoder(a.stdout).Encode(l)
	}
	_, err := fmt.Fprintln(a.stdout, formatLine(l))
	return err
}
