package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/model"
)

// madeFolder has a file for each instance, snapshot and AMI of a build. It is
// written before the thing itself is made, so that nothing is ever missed.
const madeFolder = "made"

// product is one thing that a step has made, or was about to.
type product struct {
	ID          string `json:"id"`        // i-…, snap-… or ami-…
	Execution   string `json:"execution"` // of the workflow
	Step        string `json:"step"`
	Attempt     int    `json:"attempt"` // of the workflow
	StepAttempt int    `json:"stepAttempt"`

	// Of an instance:
	Type     string `json:"type,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Source   string `json:"source,omitempty"`   // AMI
	Snapshot string `json:"snapshot,omitempty"` // its disk's backing; of an AMI, its own
	Ended    bool   `json:"ended,omitempty"`    // a step has terminated it
}

// The prefixes of ids say what a product is.
const (
	isInstance = "i-"
	isSnapshot = "snap-"
	isAMI      = "ami-"
)

func (p product) is(prefix string) bool { return strings.HasPrefix(p.ID, prefix) }

// product is a new thing of this attempt.
func (t task) product(id string) product {
	return product{ID: id, Execution: t.execution(), Step: t.Step.Name, Attempt: t.Attempt, StepAttempt: t.Step.Attempt}
}

// remember writes down what is made, or what has become of it.
func (b *Builder) remember(image string, p product) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("writing down %s: %w", p.ID, err)
	}
	if err := os.MkdirAll(filepath.Join(b.dir(image), madeFolder), 0o700); err != nil {
		return fmt.Errorf("writing down %s: %w", p.ID, err)
	}
	return b.writeWhole(image, filepath.Join(madeFolder, p.ID+".json"), data)
}

// recall finds a product of a build; fs.ErrNotExist when it has none of the id.
func (b *Builder) recall(image, id string) (product, error) {
	data, err := os.ReadFile(filepath.Join(b.dir(image), madeFolder, filepath.Base(id)+".json"))
	if err != nil {
		return product{}, err
	}
	var p product
	if json.Unmarshal(data, &p) != nil {
		return product{ID: id}, nil // cut off with the whole host; the name says what to remove
	}
	return p, nil
}

// products lists what a build has made and is begun with one of the prefixes.
func (b *Builder) products(image string, prefixes ...string) ([]product, error) {
	files, err := os.ReadDir(filepath.Join(b.dir(image), madeFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing what the build of %s has made: %w", image, err)
	}
	var list []product
	for _, f := range files {
		id, isProduct := strings.CutSuffix(f.Name(), ".json")
		if !isProduct || !hasAnyPrefix(id, prefixes) {
			continue
		}
		p, err := b.recall(image, id)
		if err != nil {
			return nil, fmt.Errorf("reading what the build of %s has made: %w", image, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func hasAnyPrefix(text string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return len(prefixes) == 0
}

// discard removes the products of a build that unwanted selects: instances
// with their disks, AMIs with their snapshots, snapshots.
func (b *Builder) discard(ctx context.Context, image string, unwanted func(product) bool) error {
	list, err := b.products(image)
	if err != nil {
		return err
	}
	arn, err := ingot.ParseARN(image)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range list { // by id: AMIs before instances before snapshots
		if unwanted(p) {
			errs = append(errs, b.unmake(ctx, arn, p))
		}
	}
	return errors.Join(errs...)
}

func (b *Builder) unmake(ctx context.Context, image ingot.ARN, p product) error {
	local, err := b.Regions.Region(image.Region)
	if err != nil {
		return err
	}
	switch {
	case p.is(isInstance):
		err = b.destroy(ctx, p.ID)
		p.Ended = true
	case p.is(isAMI):
		if err = local.Deregister(ctx, image.Account, p.ID); ingot.ErrorCode(err) == ingot.CodeNotFound {
			err = nil
		}
	case p.is(isSnapshot):
		err = local.Disks.Delete(ctx, disk.SnapshotID(p.ID))
	}
	if err != nil {
		return err
	}
	if p.Ended {
		return b.remember(image.String(), p) // so that later steps can say why it is gone
	}
	err = os.Remove(filepath.Join(b.dir(image.String()), madeFolder, p.ID+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// stageOf is the status of an image while a workflow of the type runs.
var stageOf = map[model.WorkflowType]model.ImageStatus{
	model.WorkflowTypeBuild: model.ImageStatusBuilding, model.WorkflowTypeTest: model.ImageStatusTesting,
	model.WorkflowTypeDistribution: model.ImageStatusDistributing,
}
