package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// FilterContainerType is the filter containerType of container recipes.
const FilterContainerType = "containerType"

// CheckTemplateSource wants a template or its address. Source: api.md §3.3.
func CheckTemplateSource(in *model.CreateContainerRecipeRequest) error {
	if (in.DockerfileTemplateData == "") == (in.DockerfileTemplateUri == "") {
		return Errorf(CodeCombination, "Exactly one of the parameters 'dockerfileTemplateData' and 'dockerfileTemplateUri' must be given.")
	}
	return nil
}

// CheckContainerRecipe checks the members of a recipe against each other; its
// template is in dockerfileTemplateData. Source: api.md §3.3, containers.md §1 and §3.
func CheckContainerRecipe(in *model.CreateContainerRecipeRequest) error {
	for _, check := range []error{
		checkDockerfile(in.DockerfileTemplateData, len(in.Components) > 0),
		checkOverrides(in), checkRepository(in.TargetRepository.RepositoryName),
		checkContainerHost(in.InstanceConfiguration), checkComponentsSize(in.Components), CheckTags("tags", in.Tags),
	} {
		if check != nil {
			return check
		}
	}
	return nil
}

// templateVariable is a variable of a Dockerfile template, with its name.
var templateVariable = regexp.MustCompile(`\{\{\{[ \t]*imagebuilder:([^{}\r\n]*)\}\}\}`)

// The variables of a Dockerfile template. Source: containers.md §4.
const (
	variableParent       = "parentImage"  // the reference of the base image; as often as needed
	variableEnvironments = "environments" // brings the components into the build
	variableComponents   = "components"   // runs them
)

// checkDockerfile checks the variables of a template; all other text is the
// author's. With components it must bring them in, then run them.
func checkDockerfile(template string, components bool) error {
	const field = "dockerfileTemplateData"
	at := map[string]int{} // where each variable is, from 1
	for i, match := range templateVariable.FindAllStringSubmatch(template, -1) {
		name := strings.TrimRight(match[1], " \t")
		switch {
		case !slices.Contains([]string{variableParent, variableEnvironments, variableComponents}, name):
			return InvalidField(field, "There is no variable '%s'. The variables are imagebuilder:parentImage, imagebuilder:environments and imagebuilder:components.", match[0])
		case at[name] > 0 && name != variableParent:
			return InvalidField(field, "The variable '%s' is in the template twice.", match[0])
		}
		at[name] = i + 1
	}
	required := []string{variableParent}
	if components {
		required = append(required, variableEnvironments, variableComponents)
	}
	for _, name := range required {
		if at[name] == 0 {
			return InvalidField(field, "The template lacks the variable '{{{ imagebuilder:%s }}}'%s.", name, whyRequired(name))
		}
	}
	if components && at[variableEnvironments] > at[variableComponents] {
		return InvalidField(field, "The variable '{{{ imagebuilder:environments }}}' must come before '{{{ imagebuilder:components }}}'.")
	}
	return nil
}

func whyRequired(variable string) string {
	if variable == variableParent {
		return ", which its FROM instruction needs"
	}
	return ", which a recipe with components needs"
}

// checkOverrides checks what a recipe says of a parent that is not known here.
func checkOverrides(in *model.CreateContainerRecipeRequest) error {
	overridden := in.PlatformOverride != "" || in.ImageOsVersionOverride != ""
	switch {
	case in.PlatformOverride == model.PlatformMacOS:
		return InvalidField("platformOverride", "There are no macOS containers. Use Linux or Windows.")
	case overridden && strings.HasPrefix(in.ParentImage, "arn:"):
		return Errorf(CodeCombination, "The parameters 'platformOverride' and 'imageOsVersionOverride' are for parents from a registry; the image '%s' says its own platform and version.", in.ParentImage)
	case in.PlatformOverride == model.PlatformWindows && in.ImageOsVersionOverride == "":
		return Errorf(CodeCombination, "The parameter 'platformOverride' with the value Windows needs 'imageOsVersionOverride'.")
	}
	return nil
}

// The parts of a reference as registries write it.
const (
	pathComponent = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
	repositoryDir = pathComponent + `(?:/` + pathComponent + `)*`
	registryHost  = `(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?::[0-9]{1,5})?`
)

var (
	repositoryName    = regexp.MustCompile(`^` + repositoryDir + `$`)
	registryReference = regexp.MustCompile(`^((?:` + registryHost + `/)?` + repositoryDir + `)(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)
)

// Limits of names in a registry.
const (
	minRepositoryName = 2
	maxRepositoryName = 256 // of the vendor's registry
	maxReferenceName  = 255 // of host and path together
)

// checkRepository checks the form of a repository's name. Whether there is such
// a repository, the push at the end of a build will know.
func checkRepository(name string) error {
	if len(name) < minRepositoryName || len(name) > maxRepositoryName || !repositoryName.MatchString(name) {
		return InvalidField("targetRepository.repositoryName", "'%s' is not the name of a repository: %d to %d lower-case letters, digits and . _ - between them, in parts with a slash between, without registry and tag.", name, minRepositoryName, maxRepositoryName)
	}
	return nil
}

func checkContainerHost(c *model.InstanceConfiguration) error {
	if c == nil {
		return nil
	}
	parameter, isParameter := strings.CutPrefix(c.Image, "ssm:")
	if c.Image != "" && !amiID.MatchString(c.Image) && (!isParameter || parameter == "") {
		return InvalidField("instanceConfiguration.image", "'%s' is neither an AMI id nor an ssm: parameter.", c.Image)
	}
	return checkDevices("instanceConfiguration.blockDeviceMappings", c.BlockDeviceMappings)
}

// CreateContainerRecipe stores a recipe under arn, whose wildcard version, if
// any, it allocates. References are checked and kept as they are written.
// Source: api.md §2.6, §3.3.
func CreateContainerRecipe(ctx context.Context, tx Tx, arn ARN, in *model.CreateContainerRecipeRequest, now time.Time) (ARN, error) {
	base, err := findContainerParent(ctx, tx, arn, in)
	if err != nil {
		return ARN{}, err
	}
	platform, err := checkRecipeComponents(ctx, tx, arn, in.Components, base)
	if err != nil {
		return ARN{}, err
	}
	if err := checkWorkingDirectory(in.WorkingDirectory, platform); err != nil {
		return ARN{}, err
	}
	if arn, err = allocateVersion(ctx, tx, arn); err != nil {
		return ARN{}, err
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), arn.Kind); err != nil {
		return ARN{}, err
	}
	record, err := newContainerRecipe(arn, in, platform, now)
	if err != nil {
		return ARN{}, err
	}
	return arn, tx.Create(ctx, record)
}

func newContainerRecipe(arn ARN, in *model.CreateContainerRecipeRequest, platform model.Platform, now time.Time) (Record, error) {
	document, err := json.Marshal(&model.ContainerRecipe{
		Arn: arn.String(), ContainerType: in.ContainerType, Name: in.Name, Description: in.Description,
		Platform: platform, Owner: arn.Owner(), Version: arn.Version.String(), Components: in.Components,
		InstanceConfiguration: in.InstanceConfiguration, DockerfileTemplateData: in.DockerfileTemplateData,
		KmsKeyId: in.KmsKeyId, Encrypted: new(true), ParentImage: in.ParentImage, DateCreated: model.DateTime(now),
		WorkingDirectory: in.WorkingDirectory, TargetRepository: in.TargetRepository,
	})
	if err != nil {
		return Record{}, fmt.Errorf("encoding %s: %w", arn, err)
	}
	return Record{
		ARN: arn, Name: in.Name, Created: now, Updated: now, Document: document, Tags: in.Tags,
		References: recipeReferences(in.ParentImage, in.Components),
		Attributes: map[string][]string{
			FilterContainerType: {string(in.ContainerType)},
			FilterParentImage:   {in.ParentImage},
			FilterPlatform:      {string(platform)},
			FilterOSVersion:     present(in.ImageOsVersionOverride), // the document has no member for it
		},
	}, nil
}

// findContainerParent resolves the parentImage of a container recipe. What a
// registry has is looked up when a build starts. Source: containers.md §2.
func findContainerParent(ctx context.Context, r RecordReader, recipe ARN, in *model.CreateContainerRecipeRequest) (parent, error) {
	text := in.ParentImage
	if strings.HasPrefix(text, "arn:") {
		return findParentImage(ctx, r, recipe, text, model.ImageTypeDocker)
	}
	if amiID.MatchString(text) {
		return parent{}, InvalidField("parentImage", "'%s' is an AMI; a container recipe starts from a container image.", text)
	}
	match := registryReference.FindStringSubmatch(text)
	if match == nil || len(match[1]) > maxReferenceName {
		return parent{}, InvalidField("parentImage", "'%s' is neither an image ARN nor the reference of a container image, such as debian:12 or registry.example.com/team/base@sha256:….", text)
	}
	base := parent{platform: in.PlatformOverride, osVersion: in.ImageOsVersionOverride}
	if base.platform == "" {
		base.platform = model.PlatformLinux
	}
	return base, nil
}
