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

// Whatever a build makes is named after the image and the step that makes it,
// so that a step that runs again finds what it made before.

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

func executionID(image, workflow string) string { return "wf-" + derived(image, workflow) }

func stepID(image, workflow, step string) string { return "step-" + derived(image, workflow, step) }

// runID is the id of one run of the component executor: a UUID, as its
// folder's name has to hold.
func runID(image, workflow string, attempt int) string {
	return derived(image, workflow, "run", strconv.Itoa(attempt))
}

func instanceID(image, workflow string, attempt int) string {
	return region.InstanceID(image, workflow, strconv.Itoa(attempt))
}

func bootCheckID(image string, attempt int) string {
	return region.InstanceID(image, "boot", strconv.Itoa(attempt))
}

func snapshotID(image string, attempt int) disk.SnapshotID {
	return region.SnapshotID(image, "output", strconv.Itoa(attempt))
}

// instancesOf lists the id of every instance that a build of the image may have.
func instancesOf(image string) []string {
	var all []string
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		all = append(all, instanceID(image, workflowBuild, attempt), instanceID(image, workflowTest, attempt), bootCheckID(image, attempt))
	}
	return all
}

// snapshotsOf lists the id of every snapshot that a build of the image may make.
func snapshotsOf(image string) []disk.SnapshotID {
	var all []disk.SnapshotID
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		all = append(all, snapshotID(image, attempt))
	}
	return all
}
