package ingot

import (
	"testing"

	"ingot.dev/ingot/model"
)

func TestImageTransitions(t *testing.T) {
	for _, test := range []struct {
		from, to model.ImageStatus
		want     bool
	}{
		{model.ImageStatusPending, model.ImageStatusCreating, true},
		{model.ImageStatusPending, model.ImageStatusCancelled, true},
		{model.ImageStatusBuilding, model.ImageStatusDistributing, true}, // states may be skipped
		{model.ImageStatusIntegrating, model.ImageStatusAvailable, true},
		{model.ImageStatusAvailable, model.ImageStatusDeprecated, true},
		{model.ImageStatusDisabled, model.ImageStatusDeprecated, true},
		{model.ImageStatusFailed, model.ImageStatusTesting, true}, // a retry
		{model.ImageStatusTesting, model.ImageStatusBuilding, false},
		{model.ImageStatusAvailable, model.ImageStatusFailed, false},
		{model.ImageStatusFailed, model.ImageStatusBuilding, true}, // a retry from a step
		{model.ImageStatusCancelled, model.ImageStatusBuilding, false},
		{model.ImageStatusCancelled, model.ImageStatusAvailable, false},
		{model.ImageStatusPending, model.ImageStatusDeleted, false},
		{model.ImageStatusDeleted, model.ImageStatusAvailable, false},
	} {
		if got := ImageMayBecome(test.from, test.to); got != test.want {
			t.Errorf("ImageMayBecome(%s, %s) = %t, want %t", test.from, test.to, got, test.want)
		}
	}
}

func TestEveryImageStatusButDeletedHasTransitions(t *testing.T) {
	for _, s := range ImagePending {
		if !ImageMayBecome(model.ImageStatus(s), model.ImageStatusFailed) || !IsImagePending(model.ImageStatus(s)) {
			t.Errorf("%s: every status of a build can become FAILED", s)
		}
	}
	if len(imageTransitions) != 11 || IsImagePending(model.ImageStatusAvailable) {
		t.Errorf("%d statuses have transitions, want the 11 that are not DELETED", len(imageTransitions))
	}
}
