package ingot

import (
	"context"
	"fmt"
	"strings"

	"ingot.dev/ingot/model"
)

// Dependencies are what the references of an image's recipe resolve to. Two
// runs of a pipeline with the same ones would make the same image.
// Source: api.md §5.4.
type Dependencies struct {
	Recipe     string   `json:"recipe"`     // ARN
	Components []string `json:"components"` // ARNs of builds, in the order of the recipe
	Parent     string   `json:"parent"`     // ARN of a build, AMI id, value of an SSM parameter, or a registry's reference
}

// DependencyReader reads what images were made from.
type DependencyReader interface {
	// LastDependencies are those of the image of a pipeline that became
	// AVAILABLE last, among the images that are still there; CodeNotFound if
	// there is none.
	LastDependencies(ctx context.Context, pipeline ARN) (image ARN, d Dependencies, err error)
}

// DependencyWriter saves what images of pipelines are made from. It goes with
// the record of the image.
type DependencyWriter interface {
	PutDependencies(ctx context.Context, image, pipeline ARN, d Dependencies) error
	// PromoteDependencies notes that an image became AVAILABLE after all others
	// of its pipeline.
	PromoteDependencies(ctx context.Context, image ARN) error
}

// FindDependencies resolves what a pipeline would build from now.
func FindDependencies(ctx context.Context, r RecordReader, parameters ParameterStore, pipeline ARN, p *model.ImagePipeline) (Dependencies, error) {
	if p.ContainerRecipeArn != "" {
		recipe, err := copyOf[model.ContainerRecipe](ctx, r, pipeline, "containerRecipeArn", p.ContainerRecipeArn, KindContainerRecipe)
		if err != nil {
			return Dependencies{}, err
		}
		return resolveRecipe(ctx, r, parameters, pipeline, recipe.arn, recipe.document.ParentImage, recipe.document.Components)
	}
	recipe, err := copyOf[model.ImageRecipe](ctx, r, pipeline, "imageRecipeArn", p.ImageRecipeArn, KindImageRecipe)
	if err != nil {
		return Dependencies{}, err
	}
	return resolveRecipe(ctx, r, parameters, pipeline, recipe.arn, recipe.document.ParentImage, recipe.document.Components)
}

// resolveRecipe resolves what a recipe names, as by sees it: the recipe may be
// another account's.
func resolveRecipe(ctx context.Context, r RecordReader, parameters ParameterStore, by, recipe ARN, parentImage string, components []model.ComponentConfiguration) (Dependencies, error) {
	d := Dependencies{Recipe: recipe.String(), Components: []string{}}
	for i, c := range components {
		arn, err := referenceARN(by, fmt.Sprintf("components[%d].componentArn", i), c.ComponentArn, KindComponent)
		if err != nil {
			return Dependencies{}, err
		}
		record, err := Find(ctx, r, by.Account, arn)
		if err != nil {
			return Dependencies{}, err
		}
		d.Components = append(d.Components, record.ARN.String())
	}
	var err error
	d.Parent, err = ResolveParent(ctx, r, parameters, by, parentImage)
	return d, err
}

// ResolveParent says which parent a recipe's parentImage means now: the ARN of
// an image build, the value of an SSM parameter, or the text itself, when it is
// an AMI or a registry's reference. by is the resource that names it.
func ResolveParent(ctx context.Context, r finder, parameters ParameterStore, by ARN, text string) (string, error) {
	switch {
	case strings.HasPrefix(text, ParameterReference):
		p, err := ResolveParameter(ctx, parameters, by.Scope(), text)
		return p.Value, err
	case !strings.HasPrefix(text, "arn:"):
		return text, nil
	}
	arn, err := referenceARN(by, "parentImage", text, KindImage)
	if err != nil {
		return "", err
	}
	usable := []string{string(model.ImageStatusAvailable)}
	if arn.IsBuild() { // who names the build means it, deprecated or not
		usable = append(usable, string(model.ImageStatusDeprecated))
	}
	record, err := Find(ctx, r, by.Account, arn, usable...)
	return record.ARN.String(), err
}

// Changes says for people what differs between the dependencies of an image
// and those of now; nothing if they are the same.
func (d Dependencies) Changes(now Dependencies) []string {
	var changes []string
	if d.Recipe != now.Recipe {
		changes = append(changes, change("recipe", d.Recipe, now.Recipe))
	}
	before := byResource(d.Components)
	for _, c := range now.Components {
		switch was, had := before[resourceOf(c)]; {
		case !had:
			changes = append(changes, "component "+c+" added")
		case was != c:
			changes = append(changes, change("component", was, c))
		}
	}
	after := byResource(now.Components)
	for _, c := range d.Components {
		if _, stays := after[resourceOf(c)]; !stays {
			changes = append(changes, "component "+c+" removed")
		}
	}
	if d.Parent != now.Parent {
		changes = append(changes, change("parent image", d.Parent, now.Parent))
	}
	return changes
}

// byResource finds components by what they are builds of: a recipe names each once.
func byResource(components []string) map[string]string {
	m := map[string]string{}
	for _, c := range components {
		m[resourceOf(c)] = c
	}
	return m
}

// resourceOf is an ARN without its version, or a text that is none.
func resourceOf(text string) string {
	arn, err := ParseARN(text)
	if err != nil {
		return text
	}
	return arn.WithVersion(Version{}).String()
}

// change is "component arn:…/hello 1.0.0/1 -> 1.0.1/1", or both in full when
// they are not versions of one resource.
func change(what, was, now string) string {
	resource := resourceOf(was)
	if resource == was || resource != resourceOf(now) {
		return fmt.Sprintf("%s %s -> %s", what, was, now)
	}
	version := func(text string) string { return strings.TrimPrefix(text, resource+"/") }
	return fmt.Sprintf("%s %s %s -> %s", what, resource, version(was), version(now))
}
