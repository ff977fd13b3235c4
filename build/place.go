package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// plan is everything a build depends on, fixed when the build begins. It is
// the output of the first step, so a replay does not decide anything again.
type plan struct {
	Image      string      `json:"image"` // ARN
	Name       string      `json:"name"`  // as displayed
	Started    time.Time   `json:"started"`
	Pipeline   string      `json:"pipeline,omitempty"` // ARN
	Role       string      `json:"role,omitempty"`     // ARN of the execution role
	Parent     ingot.AMI   `json:"parent"`
	Components []component `json:"components"`
	// Executed are the components that steps of these execute, themselves or by
	// others, by the ARN as documents have it.
	Executed map[string]component `json:"executed,omitempty"`

	BuildMachines []machine         `json:"buildMachines"` // tried in order
	TestMachines  []machine         `json:"testMachines"`
	VolumeBytes   int64             `json:"volumeBytes,omitempty"` // 0: the parent's
	Directory     string            `json:"directory"`             // working directory of components
	UserData      string            `json:"userData,omitempty"`    // script that replaces the service's own
	InstanceTags  map[string]string `json:"instanceTags,omitempty"`
	KeepOnFailure bool              `json:"keepOnFailure,omitempty"`
	LogBucket     string            `json:"logBucket,omitempty"` // that component logs are sent to
	LogPrefix     string            `json:"logPrefix,omitempty"` // of the keys of component logs

	Workflows []scheduled    `json:"workflows"`
	Variables map[string]any `json:"variables"` // $.imagebuilder, names in lower case
	Tests     bool           `json:"tests"`

	AMI           delivery             `json:"ami"`
	AMITags       map[string]string    `json:"amiTags,omitempty"` // of the recipe, not expanded
	Distributions []model.Distribution `json:"distributions,omitempty"`

	// CacheKeys names the disk after each component, by parent snapshot, kind of
	// instance, and digest and parameters of all components so far.
	CacheKeys []string `json:"cacheKeys"`
}

// component is one component of the recipe as an exact build.
type component struct {
	ARN        string            `json:"arn"`
	Name       string            `json:"name"`
	Digest     string            `json:"digest"` // SHA-256 of the document, in hex
	Phases     []string          `json:"phases"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Executes   []string          `json:"executes,omitempty"` // as documents have it
}

// has reports whether the component's document has one of the phases.
func (c component) has(phases ...string) bool {
	return slices.ContainsFunc(c.Phases, func(p string) bool { return slices.Contains(phases, p) })
}

// placed is the output of the first step: the plan, and the texts of its
// workflow documents by digest.
type placed struct {
	Asked     time.Time         `json:"asked"` // when the run was asked for
	Plan      plan              `json:"plan"`
	Documents map[string]string `json:"documents"`
	Resume    *resumption       `json:"resume,omitempty"` // of a retry
}

// place waits for the build's turn and makes its plan.
func (b *Builder) place(ctx context.Context, req request) (placed, error) {
	asked, err := b.queued(ctx, req)
	if err != nil {
		return placed{}, err
	}
	b.nameLog(ctx, req.Image)
	p := placed{Asked: asked, Documents: map[string]string{}}
	if req.Run > 1 {
		stage, err := b.retake(ctx, req, &p)
		return p, atStage(err, &model.FailureContext{ImageStatus: stage})
	}
	err = b.plan(ctx, req, &p)
	return p, atStage(err, &model.FailureContext{ImageStatus: model.ImageStatusCreating})
}

// plan resolves what the image's copies of its recipe and configurations name.
func (b *Builder) plan(ctx context.Context, req request, out *placed) error {
	arn, err := ingot.ParseARN(req.Image)
	if err != nil {
		return err
	}
	record, err := b.Records.Get(ctx, arn)
	if err != nil {
		return err
	}
	if source := ingot.DistributedAMI(record); source != "" {
		return b.planDistribution(ctx, record, source, &out.Plan)
	}
	image, err := b.advance(ctx, arn, model.ImageStatusCreating, nil)
	if err != nil {
		return err
	}
	if err := checkBuildable(image); err != nil {
		return err
	}
	p := &out.Plan
	p.Image, p.Name, p.Pipeline, p.Role = req.Image, image.Name, image.SourcePipelineArn, image.ExecutionRole
	p.Started, p.Tests = started(image, b.Now()), testsEnabled(image)
	recipe := image.ImageRecipe
	parent, ami, err := b.parent(ctx, arn, recipe.ParentImage)
	if err != nil {
		return fmt.Errorf("resolving the parent image %s: %w", recipe.ParentImage, err)
	}
	p.Parent = ami
	if p.Components, p.Executed, err = b.components(ctx, arn.Account, recipe); err != nil {
		return err
	}
	if err := b.saveDependencies(ctx, arn, *p, recipe.Arn, parent); err != nil {
		return err
	}
	if err := p.equip(recipe); err != nil {
		return err
	}
	if err := b.provide(ctx, p, image.InfrastructureConfiguration); err != nil {
		return err
	}
	if err := p.deliverTo(arn, image); err != nil {
		return err
	}
	if err := b.schedule(ctx, arn, image, out); err != nil {
		return err
	}
	p.Variables = variables(arn, image, *p)
	p.CacheKeys = cacheKeys(*p)
	return b.writePlan(*p)
}

// planDistribution is the plan of an image that only distributes an AMI: there
// are no workflows, so its distribution configuration is all that is done.
func (b *Builder) planDistribution(ctx context.Context, record ingot.Record, source string, p *plan) error {
	image, err := ingot.Decode[model.Image](record)
	if err != nil {
		return err
	}
	p.Image, p.Name, p.Role, p.Started = record.ARN.String(), image.Name, image.ExecutionRole, started(image, b.Now())
	if p.Parent, err = b.Records.FindAMI(ctx, record.ARN.Scope(), source); err != nil {
		return fmt.Errorf("finding the AMI to distribute: %w", err)
	}
	if err := p.Parent.CheckLaunch(); err != nil {
		return err
	}
	if err := p.deliverTo(record.ARN, image); err != nil {
		return err
	}
	return b.writePlan(*p)
}

// started is the time that names of outputs carry: of the request, not of the
// moment a slot was free.
func started(image *model.Image, now time.Time) time.Time {
	if t := parseTime(image.DateCreated); !t.IsZero() {
		return t.UTC()
	}
	return now.UTC()
}

func testsEnabled(image *model.Image) bool {
	c := image.ImageTestsConfiguration
	return c == nil || c.ImageTestsEnabled == nil || *c.ImageTestsEnabled
}

// checkBuildable refuses what this server cannot build, rather than leave it out.
func checkBuildable(image *model.Image) error {
	switch {
	case image.ContainerRecipe != nil:
		return ingot.Errorf(ingot.CodeNotImplemented, "this server cannot build container images yet; use an image recipe")
	case image.ImageRecipe == nil:
		return ingot.Errorf(ingot.CodeInvalid, "the image has no recipe")
	case image.ImageRecipe.Platform == model.PlatformWindows, image.Platform == model.PlatformWindows:
		return ingot.Errorf(ingot.CodeNotImplemented, "this server cannot build Windows images yet")
	}
	return nil
}

// parent resolves the parentImage of an image's recipe. It is an AMI, or an
// image, whose ARN comes with its AMI.
func (b *Builder) parent(ctx context.Context, image ingot.ARN, text string) (resolved string, ami ingot.AMI, err error) {
	if resolved, err = ingot.ResolveParent(ctx, b.Records, b.Records, image, text); err != nil {
		return "", ingot.AMI{}, err
	}
	if strings.HasPrefix(resolved, "arn:") {
		ami, err = b.amiOf(ctx, image.Scope(), resolved)
	} else {
		ami, err = b.Records.FindAMI(ctx, image.Scope(), resolved)
	}
	if err == nil {
		err = ami.CheckLaunch()
	}
	return resolved, ami, err
}

// amiOf is the AMI that an image has in a region.
func (b *Builder) amiOf(ctx context.Context, scope ingot.Scope, text string) (ingot.AMI, error) {
	arn, err := ingot.ParseARN(text)
	if err != nil {
		return ingot.AMI{}, err
	}
	record, err := b.Records.Get(ctx, arn)
	if err != nil {
		return ingot.AMI{}, err
	}
	image, err := ingot.Decode[model.Image](record)
	if err != nil {
		return ingot.AMI{}, err
	}
	if image.OutputResources != nil {
		for _, a := range image.OutputResources.Amis {
			if a.Region == scope.Region && a.Image != "" {
				owner := ingot.Scope{Account: cmp.Or(a.AccountId, record.ARN.Account), Region: scope.Region}
				return b.Records.FindAMI(ctx, owner, a.Image) // who may use the image may use its AMI
			}
		}
	}
	if record.ARN.IsManaged() {
		return ingot.AMI{}, catalog.MissingDisk(record.ARN.Name)
	}
	return ingot.AMI{}, ingot.Errorf(ingot.CodeNotFound, "%s has no AMI in %s", record.ARN, scope.Region)
}

// components resolves the components of a recipe, and those that they execute,
// to exact builds that the account may use.
func (b *Builder) components(ctx context.Context, account string, recipe *model.ImageRecipe) (list []component, executed map[string]component, err error) {
	list, executed = []component{}, map[string]component{}
	for _, c := range recipe.Components {
		resolved, _, err := b.component(ctx, account, c.ComponentArn)
		if err != nil {
			return nil, nil, fmt.Errorf("resolving component %s: %w", c.ComponentArn, err)
		}
		resolved.Parameters = parameters(c.Parameters)
		list = append(list, resolved)
		if err := b.addExecuted(ctx, account, executed, resolved); err != nil {
			return nil, nil, err
		}
	}
	return list, executed, nil
}

// saveDependencies keeps what an image of a pipeline is made from: the next
// ticks of the pipeline's schedule are compared with it. Source: api.md §5.4.
func (b *Builder) saveDependencies(ctx context.Context, image ingot.ARN, p plan, recipe, parent string) error {
	if p.Pipeline == "" {
		return nil
	}
	pipeline, err := ingot.ParseARN(p.Pipeline)
	if err != nil {
		return err
	}
	d := ingot.Dependencies{Recipe: recipe, Components: []string{}, Parent: parent}
	for _, c := range p.Components {
		d.Components = append(d.Components, c.ARN)
	}
	return b.Records.Write(ctx, func(tx ingot.Tx) error { return tx.PutDependencies(ctx, image, pipeline, d) })
}

// addExecuted resolves what a component executes, and what that executes. What
// does not exist is left to the step: it may never run, or tolerate it.
func (b *Builder) addExecuted(ctx context.Context, account string, executed map[string]component, c component) error {
	for _, text := range c.Executes {
		if _, done := executed[text]; done {
			continue
		}
		resolved, _, err := b.component(ctx, account, text)
		if code := ingot.ErrorCode(err); code == ingot.CodeNotFound || code == ingot.CodeInvalid {
			continue
		}
		if err != nil {
			return fmt.Errorf("resolving component %s, which %s executes: %w", text, c.ARN, err)
		}
		executed[text] = resolved
		if err := b.addExecuted(ctx, account, executed, resolved); err != nil {
			return err
		}
	}
	return nil
}

// component reads the newest build that an ARN names for an account, and its
// document.
func (b *Builder) component(ctx context.Context, account, text string) (component, []byte, error) {
	arn, err := ingot.ParseARN(text)
	if err != nil {
		return component{}, nil, err
	}
	record, err := ingot.Find(ctx, b.Records, account, arn)
	if err != nil {
		return component{}, nil, err
	}
	doc, err := ingot.Decode[model.Component](record)
	if err != nil {
		return component{}, nil, err
	}
	data := []byte(doc.Data)
	checked, findings := toe.Check(data, toe.CheckOptions{Path: record.ARN.String(), Platform: "linux"})
	if err := findings.Err(); err != nil {
		return component{}, nil, err
	}
	c := component{ARN: record.ARN.String(), Name: doc.Name, Digest: digest(data), Executes: checked.Executes()}
	for _, phase := range checked.Phases {
		c.Phases = append(c.Phases, phase.Name)
	}
	return c, data, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// parameters are one value each: a list is for types that components do not have.
func parameters(list []model.ComponentParameter) map[string]string {
	values := map[string]string{}
	for _, p := range list {
		if len(p.Value) > 0 {
			values[p.Name] = p.Value[0]
		}
	}
	return values
}

// cacheKeys chains a key per component, so equal prefixes have equal keys.
func cacheKeys(p plan) []string {
	keys := []string{digest([]byte(p.Parent.Snapshot + "\n" + p.BuildMachines[0].Kind))}
	for _, c := range p.Components {
		h := sha256.New()
		fmt.Fprintf(h, "%s\n%s\n", keys[len(keys)-1], c.Digest)
		for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
			fmt.Fprintf(h, "%q=%q\n", name, c.Parameters[name])
		}
		for _, name := range slices.Sorted(maps.Keys(p.Executed)) {
			fmt.Fprintf(h, "%s %s\n", name, p.Executed[name].Digest)
		}
		keys = append(keys, hex.EncodeToString(h.Sum(nil)))
	}
	return keys
}

// writePlan keeps the plan for people, beside the log.
func (b *Builder) writePlan(p plan) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the plan of %s: %w", p.Image, err)
	}
	return b.writeWhole(p.Image, planFile, append(data, '\n'))
}
