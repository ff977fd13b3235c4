package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/ingot"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/model"
)

func newApproveCommand(a *app) *cobra.Command {
	var reason string
	var show bool
	c := &cobra.Command{
		Use:   "approve STEP-OR-IMAGE",
		Short: "Let a build go on that waits for an action, or show what it waits with",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				step, err := findWaiting(ctx, c.API, args[0])
				if err != nil {
					return err
				}
				if show { // then it is the result
					return showWaiting(ctx, c.API, step, a.stdout)
				}
				if err := showWaiting(ctx, c.API, step, a.stderr); err != nil {
					return err
				}
				return a.sendAction(ctx, c.API, step, model.WorkflowStepActionTypeResume, reason)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the step's outputs")
	c.Flags().BoolVar(&show, "show", false, "only show what would be approved")
	return c
}

func newRejectCommand(a *app) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "reject STEP-OR-IMAGE",
		Short: "Let a step fail that waits for an action",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				step, err := findWaiting(ctx, c.API, args[0])
				if err != nil {
					return err
				}
				return a.sendAction(ctx, c.API, step, model.WorkflowStepActionTypeStop, reason)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the step's message")
	return c
}

// findWaiting is the waiting step of an id, or the only one of an image.
func findWaiting(ctx context.Context, api *client.Client, name string) (found model.WorkflowStepExecution, err error) {
	n := 0
	var others []string
	for token, more := "", true; more; more = token != "" {
		var page model.ListWaitingWorkflowStepsResponse
		if err := api.Do(ctx, "ListWaitingWorkflowSteps", model.ListWaitingWorkflowStepsRequest{NextToken: token}, &page); err != nil {
			return found, err
		}
		for _, s := range page.Steps {
			if s.StepExecutionId == name || s.ImageBuildVersionArn == name {
				found = s
				n++
			}
			others = append(others, s.StepExecutionId+" ("+s.Name+" of "+s.ImageBuildVersionArn+")")
		}
		token = page.NextToken
	}
	switch {
	case n == 1:
		return found, nil
	case n > 1:
		return found, ingot.Errorf(ingot.CodeInvalid, "%d steps of %s wait; name one of them:\n%s", n, name, strings.Join(others, "\n"))
	case len(others) == 0:
		return found, ingot.Errorf(ingot.CodeNotFound, "%s does not wait for an action, and nothing else does", name)
	}
	return found, ingot.Errorf(ingot.CodeNotFound, "%s does not wait for an action; these steps do:\n%s", name, strings.Join(others, "\n"))
}

func (a *app) sendAction(ctx context.Context, api *client.Client, s model.WorkflowStepExecution, action model.WorkflowStepActionType, reason string) error {
	in := model.SendWorkflowStepActionRequest{
		StepExecutionId: s.StepExecutionId, ImageBuildVersionArn: s.ImageBuildVersionArn, Action: action, Reason: reason,
	}
	if err := api.Do(ctx, "SendWorkflowStepAction", in, nil); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, action, s.Name, "of", s.ImageBuildVersionArn)
	return nil
}

// showWaiting says what waits, and which packages differ from the last image.
func showWaiting(ctx context.Context, api *client.Client, s model.WorkflowStepExecution, to io.Writer) error {
	var step model.GetWorkflowStepExecutionResponse
	if err := api.Do(ctx, "GetWorkflowStepExecution", model.GetWorkflowStepExecutionRequest{StepExecutionId: s.StepExecutionId}, &step); err != nil {
		return err
	}
	fmt.Fprintf(to, "%s of %s waits since %s\n", s.Name, s.ImageBuildVersionArn, s.StartTime)
	if step.Inputs != "" && step.Inputs != "{}" {
		fmt.Fprintln(to, step.Inputs)
	}
	last, err := lastImage(ctx, api, s.ImageBuildVersionArn)
	if err != nil {
		return err
	}
	if last == "" {
		fmt.Fprintln(to, "there is no earlier image to compare its packages with")
		return nil
	}
	before, err := packagesOf(ctx, api, last)
	if err != nil {
		return err
	}
	now, err := packagesOf(ctx, api, s.ImageBuildVersionArn)
	if err != nil {
		return err
	}
	if len(now) == 0 {
		fmt.Fprintln(to, "its packages are not known yet")
		return nil
	}
	fmt.Fprintln(to, "packages against", last)
	for _, line := range comparePackages(before, now) {
		fmt.Fprintln(to, line)
	}
	return nil
}

// lastImage is the last AVAILABLE image of the same pipeline, or without one of
// the same name; empty if there is none.
func lastImage(ctx context.Context, api *client.Client, image string) (string, error) {
	var got model.GetImageResponse
	if err := api.Do(ctx, "GetImage", model.GetImageRequest{ImageBuildVersionArn: image}, &got); err != nil {
		return "", err
	}
	if pipeline := got.Image.SourcePipelineArn; pipeline != "" {
		return newestAvailable(func(token string) ([]model.ImageSummary, string, error) {
			var page model.ListImagePipelineImagesResponse
			err := api.Do(ctx, "ListImagePipelineImages", model.ListImagePipelineImagesRequest{ImagePipelineArn: pipeline, NextToken: token}, &page)
			return page.ImageSummaryList, page.NextToken, err
		})
	}
	arn, err := ingot.ParseARN(image)
	if err != nil {
		return "", err
	}
	newest := model.GetImageRequest{ImageBuildVersionArn: arn.WithVersion(arn.Version.Wildcard(0)).VersionARN().String()}
	var refused *client.Error
	switch err := api.Do(ctx, "GetImage", newest, &got); {
	case errors.As(err, &refused) && refused.Code == "ResourceNotFoundException":
		return "", nil
	case err != nil:
		return "", err
	}
	return got.Image.Arn, nil
}

// newestAvailable reads pages, newest first, up to the first AVAILABLE image.
func newestAvailable(next func(token string) ([]model.ImageSummary, string, error)) (string, error) {
	for token, more := "", true; more; more = token != "" {
		list, after, err := next(token)
		if err != nil {
			return "", err
		}
		for _, i := range list {
			if i.State != nil && i.State.Status == model.ImageStatusAvailable {
				return i.Arn, nil
			}
		}
		token = after
	}
	return "", nil
}

func packagesOf(ctx context.Context, api *client.Client, image string) (map[string]string, error) {
	all := map[string]string{}
	for token, more := "", true; more; more = token != "" {
		var page model.ListImagePackagesResponse
		if err := api.Do(ctx, "ListImagePackages", model.ListImagePackagesRequest{ImageBuildVersionArn: image, NextToken: token}, &page); err != nil {
			return nil, err
		}
		for _, p := range page.ImagePackageList {
			all[p.PackageName] = p.PackageVersion
		}
		token = page.NextToken
	}
	return all, nil
}

// comparePackages has a line for each package that was added, removed or changed.
func comparePackages(before, now map[string]string) []string {
	names := maps.Clone(before)
	maps.Copy(names, now)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, was := before[name]
		new, is := now[name]
		switch {
		case !was:
			lines = append(lines, "+ "+name+" "+new)
		case !is:
			lines = append(lines, "- "+name+" "+old)
		case old != new:
			lines = append(lines, "  "+name+" "+old+" -> "+new)
		}
	}
	if lines == nil {
		return []string{"no package differs"}
	}
	return lines
}
