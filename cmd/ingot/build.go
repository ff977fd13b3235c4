package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/project"
)

// buildOptions are the flags of ingot build.
type buildOptions struct {
	noTest, noCache, keepOnFailure bool
	export                         string
}

func newBuildCommand(a *app) *cobra.Command {
	var o buildOptions
	build := &cobra.Command{
		Use:   "build PATH",
		Short: "Build the image that a project file declares",
		Long: "Build the image that PATH declares: a project file, or a directory with an " + project.FileName + ".\n" +
			"It uses the server of the data directory, or an embedded one when none runs.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := project.Load(args[0])
			if err != nil {
				return exitError{exitUsage, err}
			}
			if o.export != "" { // a bad name should not cost a build
				if _, err := exportRequest("", o.export, ""); err != nil {
					return err
				}
			}
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				return a.build(ctx, c, p, o)
			})
		},
	}
	flags := build.Flags()
	flags.BoolVar(&o.noTest, "no-test", false, "make the image without boot check and tests")
	flags.BoolVar(&o.noCache, "no-cache", false, "run every component anew (this version keeps no cache, so it always does)")
	flags.BoolVar(&o.keepOnFailure, "keep-on-failure", false, "keep the instance of a failed build for `ingot instance shell`")
	flags.StringVar(&o.export, "export", "", "also write the disk to a `file`: .qcow2, .raw, .vmdk or .vhd")
	return build
}

// built is what ingot build prints.
type built struct {
	Image   string     `json:"image"`
	Status  string     `json:"status"`
	AMIs    []builtAMI `json:"amis"`
	Export  string     `json:"export,omitempty"`
	Log     string     `json:"log"`
	Seconds float64    `json:"seconds"`
}

type builtAMI struct {
	ID       string `json:"id"`
	Region   string `json:"region"`
	Name     string `json:"name"`
	Snapshot string `json:"snapshot"` // below regions/REGION of the data directory
}

func (a *app) build(ctx context.Context, c *connection, p *project.Project, o buildOptions) error {
	start := time.Now()
	if o.keepOnFailure {
		p.KeepOnFailure()
	}
	applied, err := p.Apply(ctx, project.Target{Client: c.API, Account: c.settings.Account, Region: c.settings.Region})
	if err != nil {
		return err
	}
	image, err := startBuild(ctx, c, applied, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stderr, "building", image)
	result := built{Image: image, AMIs: []builtAMI{}, Log: c.logDir(image)}
	final, err := a.follow(ctx, c, image)
	if err != nil {
		return err
	}
	result.Status = string(final.State.Status)
	if final.State.Status != model.ImageStatusAvailable {
		return a.buildFailed(c, result, final)
	}
	if err := result.addOutputs(ctx, c, final); err != nil {
		return err
	}
	if o.export != "" {
		if err := a.exportBuilt(ctx, c, &result, o.export); err != nil {
			return err
		}
	}
	result.Seconds = time.Since(start).Seconds()
	return a.printBuilt(result)
}

// startBuild starts the pipeline when the project has one and nothing differs from it.
func startBuild(ctx context.Context, c *connection, p project.Applied, o buildOptions) (string, error) {
	if p.ImagePipeline != "" && !o.noTest {
		var out model.StartImagePipelineExecutionResponse
		err := c.API.Do(ctx, "StartImagePipelineExecution", model.StartImagePipelineExecutionRequest{ImagePipelineArn: p.ImagePipeline}, &out)
		return out.ImageBuildVersionArn, err
	}
	in := model.CreateImageRequest{
		ImageRecipeArn:                 p.ImageRecipe,
		InfrastructureConfigurationArn: p.InfrastructureConfiguration,
		DistributionConfigurationArn:   p.DistributionConfiguration,
	}
	if o.noTest {
		in.ImageTestsConfiguration = &model.ImageTestsConfiguration{ImageTestsEnabled: new(bool)}
	}
	var out model.CreateImageResponse
	err := c.API.Do(ctx, "CreateImage", in, &out)
	return out.ImageBuildVersionArn, err
}

// logDir is the folder of a build, or empty for what is no image build.
func (c *connection) logDir(image string) string {
	arn, err := ingot.ParseARN(image)
	if err != nil {
		return ""
	}
	return filepath.Join(c.settings.Data, "builds", build.ID(arn))
}

// follow shows the log of a build until it ends. An interrupt cancels the
// build and waits for its clean-up.
func (a *app) follow(ctx context.Context, c *connection, image string) (*model.Image, error) {
	d := newDisplay(a.stderr)
	followErr := build.Follow(ctx, c.logDir(image), true, d.show)
	d.close()
	if ctx.Err() == nil {
		if followErr != nil {
			return nil, followErr
		}
		return awaitEnd(ctx, c.API, image)
	}
	fmt.Fprintln(a.stderr, "cancelling", image)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if err := c.API.Do(ctx, "CancelImageCreation", model.CancelImageCreationRequest{ImageBuildVersionArn: image}, nil); err != nil {
		return nil, err
	}
	if _, err := awaitEnd(ctx, c.API, image); err != nil {
		return nil, err
	}
	return nil, context.Canceled
}

// awaitEnd polls until an image is in a final state.
func awaitEnd(ctx context.Context, api *client.Client, image string) (*model.Image, error) {
	for {
		var out model.GetImageResponse
		if err := api.Do(ctx, "GetImage", model.GetImageRequest{ImageBuildVersionArn: image}, &out); err != nil {
			return nil, err
		}
		if !ingot.IsImagePending(out.Image.State.Status) {
			return out.Image, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (a *app) buildFailed(c *connection, result built, image *model.Image) error {
	if a.output == "json" {
		if err := a.printJSON(result); err != nil {
			return err
		}
	}
	return exitError{exitFailed, fmt.Errorf("%s is %s: %s\nthe whole log: ingot logs --data %s %s",
		result.Image, result.Status, image.State.Reason, c.settings.Data, result.Image)}
}

func (r *built) addOutputs(ctx context.Context, c *connection, image *model.Image) error {
	if image.OutputResources == nil {
		return errors.New("the image is AVAILABLE without outputs")
	}
	for _, ami := range image.OutputResources.Amis {
		shown, err := admin.Call[admin.ImageName, admin.Image](ctx, c.Admin, "image/show", admin.ImageName{Image: ami.Image}, nil)
		if err != nil {
			return err
		}
		r.AMIs = append(r.AMIs, builtAMI{ID: ami.Image, Region: ami.Region, Name: ami.Name, Snapshot: shown.Snapshot})
	}
	return nil
}

func (a *app) exportBuilt(ctx context.Context, c *connection, r *built, file string) error {
	if len(r.AMIs) == 0 {
		return fmt.Errorf("exporting %s: it has no AMI", r.Image)
	}
	in, err := exportRequest(r.AMIs[0].ID, file, "")
	if err != nil {
		return err
	}
	r.Export = in.Path
	_, err = admin.Call[admin.ImageExport, admin.None](ctx, c.Admin, "image/export", in, a.progress)
	return err
}

func (a *app) printBuilt(r built) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "image\t%s\n", r.Image)
	for _, ami := range r.AMIs {
		fmt.Fprintf(w, "ami\t%s  %s (%s)\n", ami.ID, ami.Name, ami.Region)
		fmt.Fprintf(w, "disk\t%s; `ingot image export %s FILE.qcow2` writes it out\n", ami.Snapshot, ami.ID)
	}
	if r.Export != "" {
		fmt.Fprintf(w, "export\t%s\n", r.Export)
	}
	fmt.Fprintf(w, "log\t%s\n", r.Log)
	fmt.Fprintf(w, "time\t%.1f s\n", r.Seconds)
	return w.Flush()
}
