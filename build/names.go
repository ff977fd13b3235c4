package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/region"
)

// Whatever a build makes is named after the image, the workflow execution and
// the step that makes it, so that a step that runs again finds what it made
// before.

// ID is the name of an image's folder below Config.Dir: readable, and unique
// among all accounts and regions.
func ID(image ingot.ARN) string {
	sum := sha256.Sum256([]byte(image.Key()))
	return fmt.Sprintf("%s-%s-%d-%s", image.Name, image.Version.Number(), image.Build, hex.EncodeToString(sum[:4]))
}

// ids is the name space of the execution ids.
var ids = uuid.MustParse("6c0f2d57-3f0b-4a0e-9d0c-5f3f6b1f7a11")

func derived(parts ...string) string {
	key := ""
	for _, p := range parts {
		key += strconv.Itoa(len(p)) + ":" + p
	}
	return uuid.NewSHA1(ids, []byte(key)).String()
}

// executionID names the execution of a workflow of an image. key tells the
// workflows of one image apart, run its retries, from 1.
func executionID(image, key string, run int) string {
	return "wf-" + derived(image, key, strconv.Itoa(run))
}

func stepID(execution, step string) string { return "step-" + derived(execution, step) }

// execution is the id of the workflow execution that a task belongs to.
func (t task) execution() string { return executionID(t.Plan.Image, t.Workflow.Key, t.Run) }

func (t task) stepID() string { return stepID(t.execution(), t.Step.Name) }

// key is unique among the attempts of all steps of a run.
func (t task) key() string {
	return fmt.Sprintf("%s/%s/%d.%d", t.Workflow.Key, t.Step.Name, t.Attempt, t.Step.Attempt)
}

// commandID is the id of what an attempt of a step runs in its instance: a
// UUID, as the name of a component run's folder has to be.
func (t task) commandID() string { return derived(t.execution(), t.key()) }

func (t task) instanceID() string { return region.InstanceID(t.execution(), t.key()) }

// snapshotID does not depend on the attempt of the step: its retry finds what
// the one before has made.
func (t task) snapshotID() disk.SnapshotID {
	return region.SnapshotID(t.execution(), t.Step.Name, strconv.Itoa(t.Attempt))
}
