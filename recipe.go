package ingot

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// Limits of a recipe. Source: api.md §7.1, recipes-and-infrastructure.md §1.
const (
	maxRecipeComponents    = 20
	maxRecipeComponentSize = 25 << 10 // bytes of all component references and parameters
	maxParameterLength     = 1024
)

// reservedAMITags are set by the service on every AMI.
var reservedAMITags = map[string]bool{"CreatedBy": true, "Ec2ImageBuilderArn": true}

// RecipeLookup is what the rules of a recipe need to read.
type RecipeLookup interface {
	RecordReader
	FindAMI(ctx context.Context, scope Scope, id string) (AMI, error)
}

// parent is what is known of a parent image; fields may be empty.
type parent struct {
	platform  model.Platform
	osVersion string
}

// CheckImageRecipe checks the members of a recipe against each other.
func CheckImageRecipe(in *model.CreateImageRecipeRequest) error {
	for _, check := range []error{
		checkComponentsSize(in.Components), checkDevices("blockDeviceMappings", in.BlockDeviceMappings),
		checkAMITags("amiTags", in.AmiTags), checkDistinct("amiWatermarks", in.AmiWatermarks),
	} {
		if check != nil {
			return check
		}
	}
	if a := in.AdditionalInstanceConfiguration; a != nil {
		if _, err := base64.StdEncoding.DecodeString(a.UserDataOverride); err != nil {
			return InvalidField("additionalInstanceConfiguration.userDataOverride", "It is not Base64: %v.", err)
		}
	}
	return nil
}

func checkComponentsSize(components []model.ComponentConfiguration) error {
	if n := len(components); n > maxRecipeComponents {
		return InvalidField("components", "A recipe has at most %d components, not %d.", maxRecipeComponents, n)
	}
	data, err := json.Marshal(components)
	if err != nil {
		return fmt.Errorf("encoding components: %w", err)
	}
	if len(data) > maxRecipeComponentSize {
		return InvalidField("components", "Component references and parameters take %d bytes; at most %d are allowed.", len(data), maxRecipeComponentSize)
	}
	return nil
}

func checkDevices(field string, mappings []model.InstanceBlockDeviceMapping) error {
	seen := map[string]bool{}
	for i, m := range mappings {
		if m.DeviceName != "" && seen[m.DeviceName] {
			return InvalidField(fmt.Sprintf("%s[%d].deviceName", field, i), "The device '%s' is mapped twice.", m.DeviceName)
		}
		seen[m.DeviceName] = true
	}
	return nil
}

func checkAMITags(field string, tags map[string]string) error {
	for key := range tags {
		if reservedAMITags[key] {
			return InvalidField(field, "The tag key '%s' is set by the service.", key)
		}
	}
	return nil
}

func checkDistinct(field string, values []string) error {
	seen := map[string]bool{}
	for i, v := range values {
		if seen[v] {
			return InvalidField(fmt.Sprintf("%s[%d]", field, i), "'%s' is there twice.", v)
		}
		seen[v] = true
	}
	return nil
}

// CreateImageRecipe stores a recipe under arn, whose wildcard version, if any,
// it allocates. References are checked and kept as they are written.
// Source: api.md §2.6, §3.2.
func CreateImageRecipe(ctx context.Context, tx Tx, lookup RecipeLookup, arn ARN, in *model.CreateImageRecipeRequest, now time.Time) (ARN, error) {
	platform, err := checkRecipeReferences(ctx, lookup, arn, in)
	if err != nil {
		return ARN{}, err
	}
	if arn, err = allocateVersion(ctx, tx, arn); err != nil {
		return ARN{}, err
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), arn.Kind); err != nil {
		return ARN{}, err
	}
	document, err := json.Marshal(&model.ImageRecipe{
		Arn: arn.String(), Type: model.ImageTypeAmi, Name: in.Name, Description: in.Description,
		Platform: platform, Owner: arn.Owner(), Version: arn.Version.String(),
		Components: in.Components, ParentImage: in.ParentImage, BlockDeviceMappings: in.BlockDeviceMappings,
		DateCreated: model.DateTime(now), WorkingDirectory: in.WorkingDirectory,
		AdditionalInstanceConfiguration: in.AdditionalInstanceConfiguration,
		AmiTags:                         in.AmiTags, AmiWatermarks: in.AmiWatermarks,
	})
	if err != nil {
		return ARN{}, fmt.Errorf("encoding %s: %w", arn, err)
	}
	return arn, tx.Create(ctx, Record{
		ARN: arn, Name: in.Name, Created: now, Updated: now, Document: document, Tags: in.Tags,
		References: recipeReferences(in.ParentImage, in.Components),
		Attributes: map[string][]string{
			FilterParentImage: {in.ParentImage},
			FilterPlatform:    {string(platform)},
		},
	})
}

func recipeReferences(parentImage string, components []model.ComponentConfiguration) []string {
	var references []string
	for _, c := range components {
		references = append(references, c.ComponentArn)
	}
	if strings.HasPrefix(parentImage, "arn:") {
		references = append(references, parentImage)
	}
	return references
}

// allocateVersion makes a wildcard version concrete, and refuses one that is taken.
func allocateVersion(ctx context.Context, r RecordReader, arn ARN) (ARN, error) {
	highest, err := r.Resolve(ctx, arn)
	if ErrorCode(err) == CodeNotFound {
		highest, err = Record{}, nil
	}
	if err != nil {
		return ARN{}, fmt.Errorf("resolving %s: %w", arn, err)
	}
	if !arn.Version.IsWildcard() {
		if highest.Name != "" {
			return ARN{}, AlreadyExists(highest.ARN)
		}
		return arn, nil
	}
	v, err := arn.Version.Allocate(highest.ARN.Version)
	return arn.WithVersion(v), err
}

// checkRecipeReferences resolves parent and components and returns the platform.
func checkRecipeReferences(ctx context.Context, lookup RecipeLookup, arn ARN, in *model.CreateImageRecipeRequest) (model.Platform, error) {
	base, err := findParent(ctx, lookup, arn, in.ParentImage)
	if err != nil {
		return "", err
	}
	platform, err := checkRecipeComponents(ctx, lookup, arn, in.Components, base)
	if err != nil {
		return "", err
	}
	return platform, checkWindows(in, platform)
}

// checkRecipeComponents resolves the components of a recipe, which must fit its
// parent, and returns the platform.
func checkRecipeComponents(ctx context.Context, r RecordReader, recipe ARN, components []model.ComponentConfiguration, base parent) (model.Platform, error) {
	names := map[string]bool{}
	for i, reference := range components {
		field := fmt.Sprintf("components[%d].componentArn", i)
		c, err := findRecipeComponent(ctx, r, recipe, field, reference.ComponentArn, names)
		if err != nil {
			return "", err
		}
		if base.platform == "" {
			base.platform = c.Platform
		}
		if err := checkFits(field, c, base); err != nil {
			return "", err
		}
		if err := checkParameters(fmt.Sprintf("components[%d].parameters", i), c, reference.Parameters); err != nil {
			return "", err
		}
	}
	if base.platform == "" {
		base.platform = model.PlatformLinux
	}
	return base.platform, nil
}

func checkWindows(in *model.CreateImageRecipeRequest, platform model.Platform) error {
	if platform != model.PlatformWindows {
		return nil
	}
	if a := in.AdditionalInstanceConfiguration; a != nil && a.SystemsManagerAgent != nil {
		return InvalidField("additionalInstanceConfiguration.systemsManagerAgent", "It applies to Linux and macOS only; the recipe's platform is Windows.")
	}
	return checkWorkingDirectory(in.WorkingDirectory, platform)
}

func checkWorkingDirectory(path string, platform model.Platform) error {
	if platform == model.PlatformWindows && strings.Contains(path, `"`) {
		return InvalidField("workingDirectory", "A Windows path has no quotation mark.")
	}
	return nil
}

var (
	amiID     = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	productID = regexp.MustCompile(`^(prod-[a-z0-9]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
)

// findParent resolves a parentImage. Source: recipes-and-infrastructure.md §1.1.
func findParent(ctx context.Context, lookup RecipeLookup, recipe ARN, text string) (parent, error) {
	switch {
	case strings.HasPrefix(text, "arn:"):
		return findParentImage(ctx, lookup, recipe, text, model.ImageTypeAmi)
	case strings.HasPrefix(text, "ssm:") && len(text) > len("ssm:"):
		return parent{}, nil // the parameter is read when a build starts
	case productID.MatchString(text):
		return parent{}, InvalidField("parentImage", "'%s' is a marketplace product, which this server cannot subscribe to. Import the image and name it by its ARN or AMI id.", text)
	case !amiID.MatchString(text):
		return parent{}, InvalidField("parentImage", "'%s' is neither an AMI id, an image ARN nor an ssm: parameter.", text)
	}
	ami, err := lookup.FindAMI(ctx, recipe.Scope(), text)
	if ErrorCode(err) == CodeNotFound {
		return parent{}, InvalidField("parentImage", "The AMI '%s' does not exist in %s.", text, recipe.Region)
	}
	if err != nil {
		return parent{}, fmt.Errorf("looking up %s: %w", text, err)
	}
	if err := ami.CheckLaunch(); err != nil {
		return parent{}, InvalidField("parentImage", "%s", err)
	}
	return parent{model.Platform(ami.Platform), ami.OSVersion}, nil
}

// imageWords are the types of images in error messages.
var imageWords = map[model.ImageType]string{model.ImageTypeAmi: "an AMI", model.ImageTypeDocker: "a container image"}

// findParentImage resolves the ARN of a parent image, which must be of the type.
func findParentImage(ctx context.Context, r RecordReader, recipe ARN, text string, want model.ImageType) (parent, error) {
	arn, err := referenceARN(recipe, "parentImage", text, KindImage)
	if err != nil {
		return parent{}, err
	}
	record, err := Find(ctx, r, recipe.Account, arn, string(model.ImageStatusAvailable))
	if err != nil {
		return parent{}, err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return parent{}, err
	}
	if image.Type != want {
		return parent{}, InvalidField("parentImage", "'%s' is %s; this kind of recipe starts from %s.", text, imageWords[image.Type], imageWords[want])
	}
	return parent{image.Platform, image.OsVersion}, nil
}

// referenceARN parses an ARN that the resource by names, which must be of the
// kind and one that it may see in its region: of its own account, managed, or
// of a kind that accounts share, for [Find] to judge.
func referenceARN(by ARN, field, text string, kind Kind) (ARN, error) {
	arn, err := ParseARN(text)
	if err != nil {
		return ARN{}, InvalidField(field, "%s", err)
	}
	if arn.Kind != kind {
		return ARN{}, InvalidField(field, "'%s' is not the ARN of a resource of the kind %s.", text, kind)
	}
	if arn.Partition != by.Partition {
		return ARN{}, InvalidField(field, "This server has the partition '%s', not '%s'.", by.Partition, arn.Partition)
	}
	if arn.Region != by.Region || arn.Account != by.Account && !arn.IsManaged() && !shareable[kind] {
		return ARN{}, NotFound(arn)
	}
	return arn, nil
}

// findRecipeComponent resolves a component reference to an active build. Names
// holds the components that came before.
func findRecipeComponent(ctx context.Context, r RecordReader, recipe ARN, field, text string, names map[string]bool) (*model.Component, error) {
	arn, err := referenceARN(recipe, field, text, KindComponent)
	if err != nil {
		return nil, err
	}
	if name := arn.Account + "/" + arn.Name; names[name] {
		return nil, InvalidField(field, "The component '%s' is in the recipe twice.", arn.Name)
	} else {
		names[name] = true
	}
	active, err := findComponent(ctx, r, recipe.Account, arn, string(model.ComponentStatusActive))
	if active != nil || err != nil {
		return active, err
	}
	retired, err := findComponent(ctx, r, recipe.Account, arn)
	if err != nil {
		return nil, err
	}
	if retired == nil {
		return nil, NotFound(arn)
	}
	return nil, InvalidField(field, "The component '%s' is %s. Use another version.", text, retired.State.Status)
}

func checkFits(field string, c *model.Component, base parent) error {
	if c.Platform != base.platform {
		return InvalidField(field, "The component is for %s, the recipe is for %s.", c.Platform, base.platform)
	}
	if base.osVersion == "" || len(c.SupportedOsVersions) == 0 {
		return nil
	}
	for _, supported := range c.SupportedOsVersions {
		if strings.HasPrefix(base.osVersion, supported) {
			return nil
		}
	}
	return InvalidField(field, "The component supports %s; the parent image has %s.", strings.Join(c.SupportedOsVersions, ", "), base.osVersion)
}

func checkParameters(field string, c *model.Component, given []model.ComponentParameter) error {
	declared := map[string]bool{}
	for _, p := range c.Parameters {
		declared[p.Name] = true
	}
	seen := map[string]bool{}
	for i, p := range given {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !declared[p.Name]:
			return InvalidField(at+".name", "The component '%s' has no parameter '%s'.", c.Name, p.Name)
		case seen[p.Name]:
			return InvalidField(at+".name", "The parameter '%s' is given twice.", p.Name)
		case len(p.Value) != 1:
			return InvalidField(at+".value", "A component parameter has one value, not %d.", len(p.Value))
		case len([]rune(p.Value[0])) > maxParameterLength:
			return InvalidField(at+".value[0]", "A parameter value has at most %d characters.", maxParameterLength)
		}
		seen[p.Name] = true
	}
	for _, p := range c.Parameters {
		if p.DefaultValue == nil && !seen[p.Name] {
			return InvalidField(field, "The component '%s' needs a value for its parameter '%s', which has no default.", c.Name, p.Name)
		}
	}
	return nil
}
