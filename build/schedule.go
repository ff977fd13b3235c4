package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// scheduled is one workflow of the plan, as an exact build.
type scheduled struct {
	Key        string                    `json:"key"` // tells it from the others of the image
	ARN        string                    `json:"arn"`
	Type       model.WorkflowType        `json:"type"`
	Digest     string                    `json:"digest"` // SHA-256 of the document, in hex
	Parameters []model.WorkflowParameter `json:"parameters,omitempty"`
	Group      string                    `json:"group,omitempty"`     // parallelGroup
	OnFailure  model.OnWorkflowFailure   `json:"onFailure,omitempty"` // of a TEST workflow
	Beside     bool                      `json:"beside,omitempty"`    // the boot check: it runs beside all groups
	Clock      bool                      `json:"clock,omitempty"`     // its document reads $.imagebuilder.dateTime
	Steps      []outline                 `json:"steps"`
}

// The keys of the workflows that every image has once at most.
const (
	keyBuild        = "build"
	keyTest         = "test" // of the first one; others have a number
	keyBoot         = "boot"
	keyDistribution = "distribution"
)

// bootWorkflow is the managed workflow of the boot check.
const bootWorkflow = "boot-image"

// stage lists the workflows of a type.
func (p plan) stage(t model.WorkflowType) []scheduled {
	var list []scheduled
	for _, s := range p.Workflows {
		if s.Type == t {
			list = append(list, s)
		}
	}
	return list
}

// schedule resolves the image's workflows to exact builds. The boot check is
// added to those that test what was built here.
func (b *Builder) schedule(ctx context.Context, arn ingot.ARN, image *model.Image, out *placed) error {
	list := image.Workflows
	if len(list) == 0 {
		list = ingot.DefaultWorkflows(arn.Partition, arn.Region, out.Plan.Tests)
	}
	for _, c := range list {
		if err := b.addWorkflow(ctx, c, out); err != nil {
			return fmt.Errorf("resolving workflow %s: %w", c.WorkflowArn, err)
		}
	}
	tests := out.Plan.stage(model.WorkflowTypeTest)
	isBoot := func(s scheduled) bool { return isManaged(s.ARN, bootWorkflow) }
	if !out.Plan.Tests || len(tests) == 0 || len(out.Plan.stage(model.WorkflowTypeBuild)) == 0 || slices.ContainsFunc(tests, isBoot) {
		return nil
	}
	boot := ingot.ManagedWorkflowARN(arn.Partition, arn.Region, model.WorkflowTypeTest, bootWorkflow, catalog.WorkflowVersion)
	if err := b.addWorkflow(ctx, model.WorkflowConfiguration{WorkflowArn: boot.String()}, out); err != nil {
		return fmt.Errorf("resolving workflow %s: %w", boot, err)
	}
	last := &out.Plan.Workflows[len(out.Plan.Workflows)-1]
	last.Key, last.Beside = keyBoot, true
	return nil
}

func isManaged(text, name string) bool {
	arn, err := ingot.ParseARN(text)
	return err == nil && arn.IsManaged() && arn.Name == name
}

// addWorkflow adds the newest build that an entry names to the plan.
func (b *Builder) addWorkflow(ctx context.Context, c model.WorkflowConfiguration, out *placed) error {
	arn, err := ingot.ParseARN(c.WorkflowArn)
	if err != nil {
		return err
	}
	record, err := b.Records.Resolve(ctx, arn)
	if err != nil {
		return err
	}
	found, err := ingot.Decode[ingot.Workflow](record)
	if err != nil {
		return err
	}
	s := scheduled{
		ARN: record.ARN.String(), Type: found.Type, Digest: digest([]byte(found.Data)),
		Parameters: c.Parameters, Group: c.ParallelGroup, OnFailure: c.OnFailure,
		Clock: strings.Contains(strings.ToLower(found.Data), "datetime"),
	}
	s.Key = out.Plan.nextKey(found.Type)
	d, err := s.parse(found.Data)
	if err != nil {
		return err
	}
	if _, err := workflow.Typed(d.Parameters, s.Parameters); err != nil {
		return err
	}
	for _, step := range d.Steps {
		s.Steps = append(s.Steps, outlineOf(step))
	}
	out.Plan.Workflows = append(out.Plan.Workflows, s)
	out.Documents[s.Digest] = found.Data
	return nil
}

// nextKey is the key of the next workflow of a type.
func (p plan) nextKey(t model.WorkflowType) string {
	switch n := len(p.stage(t)) + 1; {
	case t == model.WorkflowTypeBuild:
		return keyBuild
	case t == model.WorkflowTypeDistribution:
		return keyDistribution
	case n == 1:
		return keyTest
	default:
		return keyTest + strconv.Itoa(n)
	}
}

// parse reads the workflow's document.
func (s scheduled) parse(text string) (*workflow.Document, error) {
	arn, err := ingot.ParseARN(s.ARN)
	if err != nil {
		return nil, err
	}
	check := workflow.Check
	if arn.IsManaged() {
		check = workflow.CheckManaged
	}
	d, findings := check([]byte(text), s.Type)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("the document of workflow %s: %w", s.ARN, err)
	}
	return d, nil
}

// platforms as $.imagebuilder.platform spells them. Source: workflows.md §3.3.
var platforms = map[model.Platform]string{
	model.PlatformLinux: "Linux", model.PlatformWindows: "Windows", model.PlatformMacOS: "MacOS",
}

// variables are the values of $.imagebuilder that all workflows of an image
// share. What is not configured is null. Source: workflows.md §3.3.
func variables(arn ingot.ARN, image *model.Image, p plan) map[string]any {
	c := image.InfrastructureConfiguration
	if c == nil {
		c = &model.InfrastructureConfiguration{}
	}
	platform := platforms[image.Platform]
	if platform == "" {
		platform = p.Parent.Platform
	}
	log := ingot.ImageLog(arn, image)
	v := map[string]any{
		"cloudWatchLogGroup":         log.Group,
		"cloudWatchLogStream":        log.Name,
		"collectImageMetadata":       image.EnhancedImageMetadataEnabled == nil || *image.EnhancedImageMetadataEnabled,
		"collectImageScanFindings":   scanning(image),
		"imageBuildNumber":           arn.Build,
		"imageId":                    p.Parent.ID,
		"imageName":                  image.Name,
		"imageType":                  "AMI",
		"imageVersionNumber":         arn.Version.String(),
		"instanceProfileName":        orNull(c.InstanceProfileName),
		"platform":                   platform,
		"s3Logs":                     s3Logs(c.Logging),
		"securityGroups":             c.SecurityGroupIds,
		"sourceImageARN":             arn.String(),
		"subnetId":                   orNull(c.SubnetId),
		"terminateInstanceOnFailure": !p.KeepOnFailure,
		"workingDirectory":           p.Directory,
	}
	lower := map[string]any{}
	for name, value := range v {
		lower[strings.ToLower(name)] = value
	}
	return lower
}

// variables are those of a workflow of a type.
func (p plan) variables(t model.WorkflowType) map[string]any {
	v := maps.Clone(p.Variables)
	v["workflowphase"] = map[model.WorkflowType]string{
		model.WorkflowTypeBuild: "Build", model.WorkflowTypeTest: "Test", model.WorkflowTypeDistribution: "Distribution",
	}[t]
	return v
}

func scanning(image *model.Image) bool {
	c := image.ImageScanningConfiguration
	return c != nil && c.ImageScanningEnabled != nil && *c.ImageScanningEnabled
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func s3Logs(l *model.Logging) any {
	if l == nil || l.S3Logs == nil {
		return nil
	}
	return map[string]any{"s3Logs": map[string]any{"s3BucketName": l.S3Logs.S3BucketName, "s3KeyPrefix": l.S3Logs.S3KeyPrefix}}
}

// clock is the time at which a workflow whose document asks for it began.
// Source: workflows.md §3.3.
func (b *Builder) clock(context.Context, any) (string, error) {
	return b.Now().UTC().Format("2006-01-02T15:04:05Z"), nil
}

// skipTests shows the TEST workflows of an image whose tests are switched off.
// Source: workflows.md §1.1.
func (b *Builder) skipTests(ctx context.Context, t task) (any, error) {
	err := b.Records.Write(ctx, func(tx ingot.Tx) error {
		for _, s := range t.Plan.stage(model.WorkflowTypeTest) {
			var e ingot.WorkflowExecution
			e.WorkflowExecutionId, e.ImageBuildVersionArn = executionID(t.Plan.Image, s.Key, t.Run), t.Plan.Image
			e.WorkflowBuildVersionArn, e.Type, e.ParallelGroup = s.ARN, s.Type, s.Group
			e.Status, e.Message = model.WorkflowExecutionStatusSkipped, "The image's tests are disabled"
			e.StartTime = timestamp(b.Now())
			e.EndTime = e.StartTime
			e.TotalStepCount, e.TotalStepsSucceeded, e.TotalStepsFailed, e.TotalStepsSkipped = new(0), new(0), new(0), new(0)
			if err := tx.PutWorkflowExecution(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("recording the tests that are left out: %w", err)
	}
	return nil, nil
}
