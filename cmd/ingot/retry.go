package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/model"
)

func newRetryCommand(a *app) *cobra.Command {
	var from string
	c := &cobra.Command{
		Use:   "retry IMAGE",
		Short: "Go on with an image that has failed, at the stage or the step where it did",
		Long: `Without --from, an image that has failed or was cancelled is tested or
distributed again. With it, the workflow that failed goes on from a step: the
one that failed, or one before it. The steps before are not run again, and the
instance is the one that the failure left running, which it does where the
infrastructure configuration has terminateInstanceOnFailure false.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				if err := c.retry(ctx, args[0], from); err != nil {
					return err
				}
				image, err := awaitEnd(ctx, c.API, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, args[0], image.State.Status)
				if image.State.Status != model.ImageStatusAvailable {
					return ingot.Errorf(ingot.CodeInvalid, "the image %s is %s: %s", args[0], image.State.Status, image.State.Reason)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "`step` of the failed workflow to go on from")
	return c
}

func (c *connection) retry(ctx context.Context, image, from string) error {
	if from == "" {
		return c.API.Do(ctx, "RetryImage", model.RetryImageRequest{ImageBuildVersionArn: image}, nil)
	}
	_, err := admin.Call[admin.ImageRetry, admin.None](ctx, c.Admin, "image/retry", admin.ImageRetry{Image: image, From: from}, nil)
	return err
}
