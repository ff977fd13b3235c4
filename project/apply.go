package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/model"
)

// Applied names what a project became on the server.
type Applied struct {
	Components                  []string `json:"components"` // component build versions
	ImageRecipe                 string   `json:"imageRecipe"`
	InfrastructureConfiguration string   `json:"infrastructureConfiguration"`
	DistributionConfiguration   string   `json:"distributionConfiguration,omitempty"`
	ImagePipeline               string   `json:"imagePipeline,omitempty"`
}

// defaultInfrastructure serves projects that do not care where they are built.
var defaultInfrastructure = model.CreateInfrastructureConfigurationRequest{
	Name:                "ingot-default",
	InstanceProfileName: "ingot",
	InstanceTypes:       []string{"t3.small"},
}

// Target is the server that a project is applied to.
type Target struct {
	Client  *client.Client
	Account string
	Region  string
}

// Apply makes the server hold what the project declares. What is there
// already and equal is used as it is; configurations that differ are updated;
// recipes never change, so one that differs needs another semanticVersion.
func (p *Project) Apply(ctx context.Context, t Target) (Applied, error) {
	var a Applied
	for i := range p.Components {
		arn, err := t.applyComponent(ctx, p.Components[i])
		if err != nil {
			return a, p.at(fmt.Sprintf("components[%d]", i), err)
		}
		a.Components = append(a.Components, arn)
	}
	var err error
	if a.ImageRecipe, err = t.applyRecipe(ctx, p.recipe(a.Components)); err != nil {
		return a, p.at("imageRecipe", err)
	}
	infrastructure := defaultInfrastructure
	if p.InfrastructureConfiguration != nil {
		infrastructure = *p.InfrastructureConfiguration
	}
	if a.InfrastructureConfiguration, err = t.applyInfrastructure(ctx, infrastructure); err != nil {
		return a, p.at("infrastructureConfiguration", err)
	}
	if p.DistributionConfiguration != nil {
		if a.DistributionConfiguration, err = t.applyDistribution(ctx, *p.DistributionConfiguration); err != nil {
			return a, p.at("distributionConfiguration", err)
		}
	}
	if p.ImagePipeline != nil {
		if a.ImagePipeline, err = t.applyPipeline(ctx, *p.ImagePipeline, a); err != nil {
			return a, p.at("imagePipeline", err)
		}
	}
	return a, nil
}

func (p *Project) at(section string, err error) error {
	return fmt.Errorf("%s: %s: %w", p.File, section, err)
}

// recipe is the declared recipe; without components of its own it takes all
// that the project declares, in their order.
func (p *Project) recipe(components []string) model.CreateImageRecipeRequest {
	r := *p.ImageRecipe
	if r.Components == nil {
		for _, arn := range components {
			r.Components = append(r.Components, model.ComponentConfiguration{ComponentArn: arn})
		}
	}
	return r
}

// arn completes the tail of an ARN; whole ARNs, AMI ids and parameters stay.
func (t Target) arn(s string) string {
	if s == "" || strings.HasPrefix(s, "arn:") || strings.HasPrefix(s, "ssm:") || !strings.Contains(s, "/") {
		return s
	}
	owner := t.Account
	if tail, ok := strings.CutPrefix(s, "aws:"); ok {
		owner, s = "aws", tail
	}
	return fmt.Sprintf("arn:aws:imagebuilder:%s:%s:%s", t.Region, owner, s)
}

func (t Target) applyComponent(ctx context.Context, in model.CreateComponentRequest) (string, error) {
	var out model.CreateComponentResponse
	err := t.Client.Do(ctx, "CreateComponent", in, &out)
	if arn, ok := existing(err); ok {
		return arn, nil // the same content is this build already
	}
	return out.ComponentBuildVersionArn, err
}

// quotedARN is the last word of the duplicate message, api.md §1.5.
var quotedARN = regexp.MustCompile(`'(arn:[^']+)'`)

// existing returns the ARN that a create found taken.
func existing(err error) (string, bool) {
	var e *client.Error
	if !errors.As(err, &e) || e.Code != "ResourceAlreadyExistsException" {
		return "", false
	}
	m := quotedARN.FindStringSubmatch(e.Message)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func (t Target) applyRecipe(ctx context.Context, in model.CreateImageRecipeRequest) (string, error) {
	in.ParentImage = t.arn(in.ParentImage)
	for i := range in.Components {
		in.Components[i].ComponentArn = t.arn(in.Components[i].ComponentArn)
	}
	if arn, err := t.sameRecipe(ctx, in); arn != "" || err != nil {
		return arn, err
	}
	var out model.CreateImageRecipeResponse
	err := t.Client.Do(ctx, "CreateImageRecipe", in, &out)
	if arn, ok := existing(err); ok {
		return "", fmt.Errorf("%s exists with another content, and recipes never change: raise semanticVersion, or write %s to have the next one allocated", arn, wildcard(in.SemanticVersion))
	}
	return out.ImageRecipeArn, err
}

// wildcard replaces the patch of a version: 1.2.3 becomes 1.2.x.
func wildcard(version string) string {
	return version[:strings.LastIndex(version, ".")+1] + "x"
}

// sameRecipe finds the newest recipe under in's version that says the same, or returns "".
func (t Target) sameRecipe(ctx context.Context, in model.CreateImageRecipeRequest) (string, error) {
	var got model.GetImageRecipeResponse
	arn := t.arn("image-recipe/" + ingot.NormalizeName(in.Name) + "/" + in.SemanticVersion)
	err := t.Client.Do(ctx, "GetImageRecipe", model.GetImageRecipeRequest{ImageRecipeArn: arn}, &got)
	var e *client.Error
	if errors.As(err, &e) {
		return "", nil // absent, or a version that create will complain about better
	}
	if err != nil {
		return "", err
	}
	var have model.CreateImageRecipeRequest
	if err := convert(got.ImageRecipe, &have); err != nil {
		return "", err
	}
	have.SemanticVersion, have.Tags = in.SemanticVersion, in.Tags
	have.ClientToken, have.DryRun = in.ClientToken, in.DryRun
	if !reflect.DeepEqual(have, in) {
		return "", nil
	}
	return got.ImageRecipe.Arn, nil
}

func (t Target) applyInfrastructure(ctx context.Context, in model.CreateInfrastructureConfigurationRequest) (string, error) {
	var out model.CreateInfrastructureConfigurationResponse
	err := t.Client.Do(ctx, "CreateInfrastructureConfiguration", in, &out)
	arn, ok := existing(err)
	if !ok {
		return out.InfrastructureConfigurationArn, err
	}
	var update model.UpdateInfrastructureConfigurationRequest
	if err := convert(in, &update); err != nil {
		return "", err
	}
	update.InfrastructureConfigurationArn = arn
	return arn, t.Client.Do(ctx, "UpdateInfrastructureConfiguration", update, nil)
}

func (t Target) applyDistribution(ctx context.Context, in model.CreateDistributionConfigurationRequest) (string, error) {
	var out model.CreateDistributionConfigurationResponse
	err := t.Client.Do(ctx, "CreateDistributionConfiguration", in, &out)
	arn, ok := existing(err)
	if !ok {
		return out.DistributionConfigurationArn, err
	}
	var update model.UpdateDistributionConfigurationRequest
	if err := convert(in, &update); err != nil {
		return "", err
	}
	update.DistributionConfigurationArn = arn
	return arn, t.Client.Do(ctx, "UpdateDistributionConfiguration", update, nil)
}

func (t Target) applyPipeline(ctx context.Context, in model.CreateImagePipelineRequest, a Applied) (string, error) {
	in.ImageRecipeArn = t.arn(in.ImageRecipeArn)
	in.InfrastructureConfigurationArn = t.arn(in.InfrastructureConfigurationArn)
	in.DistributionConfigurationArn = t.arn(in.DistributionConfigurationArn)
	if in.ImageRecipeArn == "" {
		in.ImageRecipeArn = a.ImageRecipe
	}
	if in.InfrastructureConfigurationArn == "" {
		in.InfrastructureConfigurationArn = a.InfrastructureConfiguration
	}
	if in.DistributionConfigurationArn == "" {
		in.DistributionConfigurationArn = a.DistributionConfiguration
	}
	var out model.CreateImagePipelineResponse
	err := t.Client.Do(ctx, "CreateImagePipeline", in, &out)
	arn, ok := existing(err)
	if !ok {
		return out.ImagePipelineArn, err
	}
	var update model.UpdateImagePipelineRequest
	if err := convert(in, &update); err != nil {
		return "", err
	}
	update.ImagePipelineArn = arn
	return arn, t.Client.Do(ctx, "UpdateImagePipeline", update, nil)
}

// convert copies the members that two wire types share, by their names.
func convert(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}
