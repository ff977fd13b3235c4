package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

const (
	// FilterCancel finds the images that are to be cancelled: the mark outlives a
	// server that was killed before the build heard of it.
	FilterCancel = "cancelRequested"
	// attributeRun counts the runs of an image's build: the first, and its retries.
	attributeRun = "run"
	// attributeFrom is where a retry goes on within a workflow: the id of the
	// execution that failed, a slash, and the name of a step.
	attributeFrom = "from"
	// attributeSource is the AMI that an image without a recipe distributes.
	attributeSource = "sourceAmi"
	// FilterOSVersion is the filter osVersion of images.
	FilterOSVersion = "osVersion"
)

// ImagePending lists the statuses of an image that is still being made.
var ImagePending = []string{
	string(model.ImageStatusPending), string(model.ImageStatusCreating), string(model.ImageStatusBuilding),
	string(model.ImageStatusTesting), string(model.ImageStatusDistributing), string(model.ImageStatusIntegrating),
}

// ImageRun is the number of the run that makes an image, from 1; each
// RetryImage makes another one.
func ImageRun(r Record) int {
	for _, text := range r.Attributes[attributeRun] {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return 1
}

// ImageFrom is where the run of an image goes on, for a retry from a step: the
// id of the workflow execution that failed, and the name of the first step to
// run. Both are empty otherwise.
func ImageFrom(r Record) (execution, step string) {
	for _, from := range r.Attributes[attributeFrom] {
		execution, step, _ = strings.Cut(from, "/")
	}
	return execution, step
}

// IsImagePending reports whether an image in the status is still being made.
func IsImagePending(status model.ImageStatus) bool {
	return slices.Contains(ImagePending, string(status))
}

// imageTransitions are the statuses that may follow each status; states may be
// skipped, and only a retry goes back. Source: api.md §4.1.
var imageTransitions = map[model.ImageStatus][]model.ImageStatus{
	model.ImageStatusPending:      afterStage(0),
	model.ImageStatusCreating:     afterStage(1),
	model.ImageStatusBuilding:     afterStage(2),
	model.ImageStatusTesting:      afterStage(3),
	model.ImageStatusDistributing: afterStage(4),
	model.ImageStatusIntegrating:  afterStage(5),
	model.ImageStatusAvailable:    {model.ImageStatusDeprecated, model.ImageStatusDisabled, model.ImageStatusDeleted},
	model.ImageStatusDeprecated:   {model.ImageStatusAvailable, model.ImageStatusDisabled, model.ImageStatusDeleted},
	model.ImageStatusDisabled:     {model.ImageStatusAvailable, model.ImageStatusDeprecated, model.ImageStatusDeleted},
	model.ImageStatusFailed:       {model.ImageStatusBuilding, model.ImageStatusTesting, model.ImageStatusDistributing, model.ImageStatusDeleted},
	model.ImageStatusCancelled:    {model.ImageStatusTesting, model.ImageStatusDistributing, model.ImageStatusDeleted},
}

// afterStage are the later stages of a build, and its ends.
func afterStage(i int) []model.ImageStatus {
	var next []model.ImageStatus
	for _, s := range ImagePending[i+1:] {
		next = append(next, model.ImageStatus(s))
	}
	return append(next, model.ImageStatusAvailable, model.ImageStatusFailed, model.ImageStatusCancelled)
}

// ImageMayBecome reports whether an image may go from one status to another.
func ImageMayBecome(from, to model.ImageStatus) bool {
	return slices.Contains(imageTransitions[from], to)
}

// UpdateImage applies change to an image whose status is one of from (none
// given: any), and moves it to the status to. It is CodeInUse when another got
// there first. The status may stay what it is; State.Reason goes when the
// status changes, unless change sets it. A change of status is told.
func UpdateImage(ctx context.Context, tx Tx, arn ARN, from []model.ImageStatus, to model.ImageStatus, now time.Time, change func(*model.Image)) error {
	var allowed []string
	for _, s := range from {
		allowed = append(allowed, string(s))
	}
	var was model.ImageStatus
	var image *model.Image
	r, err := tx.Update(ctx, arn, allowed, func(r *Record) (err error) {
		if image, err = Decode[model.Image](*r); err != nil {
			return err
		}
		was = model.ImageStatus(r.Status)
		if was != to && !ImageMayBecome(was, to) {
			return Errorf(CodeInUse, "The image '%s' cannot go from %s to %s.", arn, was, to)
		}
		if was != to {
			image.State = &model.ImageState{}
		}
		change(image)
		image.State.Status = to
		r.Status, r.Updated = string(to), now
		if !IsImagePending(to) {
			delete(r.Attributes, FilterCancel) // done, or too late
		}
		return putImage(r, image)
	})
	if err != nil || was == to {
		return err
	}
	if err := tellImage(ctx, tx, r, image, was, now); err != nil {
		return err
	}
	return endRun(ctx, tx, arn, image, was, now)
}

// tellImage tells that an image has another status than before: everybody, and
// when its making has ended the topic of its configuration, too.
func tellImage(ctx context.Context, tx Tx, r Record, image *model.Image, was model.ImageStatus, now time.Time) error {
	if err := tellImageState(ctx, tx, r.ARN, was, *image.State, now); err != nil {
		return err
	}
	if !IsImagePending(was) || IsImagePending(image.State.Status) {
		return nil
	}
	return tellTopic(ctx, tx, r.ARN, image, r.Tags, now)
}

// putImage makes image the document of a record, with the attributes it is found by.
func putImage(r *Record, image *model.Image) (err error) {
	image.Tags = nil // kept apart
	if r.Attributes == nil {
		r.Attributes = map[string][]string{}
	}
	r.Attributes[FilterPlatform] = present(string(image.Platform))
	r.Attributes[FilterOSVersion] = present(image.OsVersion)
	r.Attributes[FilterType] = present(string(image.Type))
	r.Attributes[FilterSource] = present(image.SourcePipelineArn)
	if r.Document, err = json.Marshal(image); err != nil {
		return fmt.Errorf("encoding %s: %w", r.ARN, err)
	}
	return nil
}

// RequestCancel marks an image for cancellation, which its build carries out.
// Source: api.md §3.7.
func RequestCancel(ctx context.Context, tx RecordWriter, arn ARN) error {
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		if !slices.Contains(ImagePending, r.Status) {
			return InvalidField("imageBuildVersionArn", "The image is %s; only an image that is being made can be cancelled.", r.Status)
		}
		r.Attributes[FilterCancel] = []string{"true"}
		return nil
	})
	return err
}

// DeleteImage removes the record of an image that is not being made.
// Source: api.md §3.7.
func DeleteImage(ctx context.Context, tx Tx, arn ARN) error {
	r, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	if slices.Contains(ImagePending, r.Status) {
		return Errorf(CodeDependency, "Resource dependency error: The image '%s' is %s. Cancel it, wait until it is CANCELLED, then delete it.", arn, r.Status)
	}
	if err := checkUnshared(r); err != nil {
		return err
	}
	if err := checkNotActedOn(ctx, tx, arn); err != nil {
		return err
	}
	if err := CheckDelete(ctx, tx, arn); err != nil {
		return err
	}
	return tx.Delete(ctx, arn)
}

// imageVersion is the member version of an image: 1.0.0/3.
func imageVersion(arn ARN) string { return fmt.Sprintf("%s/%d", arn.Version, arn.Build) }
