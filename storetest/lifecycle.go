package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// run is a lifecycle execution that started n seconds after noon.
func run(n int, policy string) ingot.LifecycleExecution {
	e := ingot.NewLifecycleExecution(scope, model.LifecycleExecutionStatusSuccess, noon.Add(time.Duration(n)*time.Second))
	e.LifecycleExecutionId, e.LifecyclePolicyArn = fmt.Sprintf("lce-%d", n), policy
	return e
}

func acted(id, parent string) ingot.LifecycleResource {
	return ingot.LifecycleResource{Parent: parent, LifecycleExecutionResource: model.LifecycleExecutionResource{
		ResourceId: id, AccountId: scope.Account, Region: scope.Region,
	}}
}

// pages reads all pages of two entries each.
func pages[T any](t *testing.T, page func(after string) ([]T, string, error), name func(T) string) (names []string) {
	t.Helper()
	for after, more := "", true; more; more = after != "" {
		list, next, err := page(after)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 2 || next != "" && len(list) < 2 {
			t.Errorf("a page has %d entries and next %q", len(list), next)
		}
		for _, v := range list {
			names = append(names, name(v))
		}
		after = next
	}
	return names
}

func lifecycleExecutions(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	policy, image := arn(t, "lifecycle-policy/tidy"), arn(t, "image/demo/1.0.0/1")
	create(t, s, record(t, "image/demo/1.0.0/1"))
	write(t, s, func(tx ingot.Tx) error {
		for n := range 5 {
			if err := tx.PutLifecycleExecution(ctx, run(n, policy.String())); err != nil {
				return err
			}
		}
		for _, n := range []int{7, 5, 6} { // by hand
			if err := tx.PutLifecycleExecution(ctx, run(n, "")); err != nil {
				return err
			}
		}
		for _, n := range []int{1, 5, 7} {
			if err := tx.PutLifecycleResource(ctx, fmt.Sprintf("lce-%d", n), acted(image.String(), "")); err != nil {
				return err
			}
		}
		return tx.Delete(ctx, image)
	})
	for of, want := range map[ingot.ARN][]string{
		policy:                              {"lce-4", "lce-3", "lce-2", "lce-1", "lce-0"},
		image:                               {"lce-7", "lce-5", "lce-1"},
		arn(t, "lifecycle-policy/other"):    nil,
		arn(t, "image/demo/1.0.0/2"):        nil,
		arn(t, "image/demo/1.0.00/1"):       {"lce-7", "lce-5", "lce-1"},
		arn(t, "lifecycle-policy/tidy-all"): nil,
	} {
		got := pages(t, func(after string) ([]ingot.LifecycleExecution, string, error) {
			return s.LifecycleExecutions(ctx, of, after, 2)
		}, func(e ingot.LifecycleExecution) string { return e.LifecycleExecutionId })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("executions of %s, newest first (-want +got):\n%s", of, diff)
		}
	}
	got, err := s.LifecycleExecution(ctx, "lce-3")
	if diff := cmp.Diff(run(3, policy.String()), got); diff != "" || err != nil {
		t.Errorf("LifecycleExecution (-want +got): %v\n%s", err, diff)
	}
	_, err = s.LifecycleExecution(ctx, "lce-9")
	wantCode(t, "LifecycleExecution of an unknown id", err, ingot.CodeNotFound)
	activeLifecycle(t, s, policy, image)
	openLifecycle(t, s, policy)
}

// openLifecycle makes lce-1 of the policy, and lce-5 of none, what is not over.
func openLifecycle(t *testing.T, s ingot.Store, policy ingot.ARN) {
	elsewhere := ingot.Scope{Account: scope.Account, Region: "eu-west-1"}
	for status, want := range map[model.LifecycleExecutionStatus]struct {
		open    string
		updates int
	}{
		model.LifecycleExecutionStatusInProgress: {"lce-1", 1},
		model.LifecycleExecutionStatusCancelling: {"lce-1", 1},
		model.LifecycleExecutionStatusPending:    {"lce-1", 0},
		model.LifecycleExecutionStatusCancelled:  {"", 0},
	} {
		write(t, s, func(tx ingot.Tx) error {
			e, update := run(1, policy.String()), run(5, "")
			e.State.Status, update.State.Status = status, status
			if err := tx.PutLifecycleExecution(t.Context(), update); err != nil {
				return err
			}
			return tx.PutLifecycleExecution(t.Context(), e)
		})
		if got, err := s.OpenLifecycle(t.Context(), policy); got != want.open || err != nil {
			t.Errorf("OpenLifecycle with an execution that is %s = %q, %v, want %q", status, got, err, want.open)
		}
		if got, err := s.CountStateUpdates(t.Context(), scope, 5); got != want.updates || err != nil {
			t.Errorf("CountStateUpdates with one that is %s = %d, %v, want %d", status, got, err, want.updates)
		}
		if got, err := s.CountStateUpdates(t.Context(), elsewhere, 5); got != 0 || err != nil {
			t.Errorf("CountStateUpdates of another region = %d, %v", got, err)
		}
	}
}

func lifecycleDues(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	put := func(subject string, at time.Time) {
		write(t, s, func(tx ingot.Tx) error { return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: subject, At: at}) })
	}
	put("late", noon.Add(time.Hour))
	put("lce-1", noon.Add(time.Nanosecond))
	put("new", time.Time{})
	put("late", noon)
	want := []ingot.LifecycleDue{{Subject: "new"}, {Subject: "late", At: noon}, {Subject: "lce-1", At: noon.Add(time.Nanosecond)}}
	for limit := range 4 {
		list, err := s.LifecycleDues(ctx, limit)
		if diff := cmp.Diff(want[:limit], list, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("LifecycleDues of %d (-want +got): %v\n%s", limit, err, diff)
		}
	}
	for range 2 {
		write(t, s, func(tx ingot.Tx) error { return tx.DeleteLifecycleDue(ctx, "late") })
	}
	if list, err := s.LifecycleDues(ctx, 5); len(list) != 2 || err != nil {
		t.Errorf("LifecycleDues after DeleteLifecycleDue = %v, %v", list, err)
	}
}

// activeLifecycle makes lce-1, which is of both the policy and the image, act.
func activeLifecycle(t *testing.T, s ingot.Store, policy, image ingot.ARN) {
	for status, want := range map[model.LifecycleExecutionStatus]string{
		model.LifecycleExecutionStatusInProgress: "lce-1",
		model.LifecycleExecutionStatusCancelling: "lce-1",
		model.LifecycleExecutionStatusPending:    "",
		model.LifecycleExecutionStatusFailed:     "",
	} {
		write(t, s, func(tx ingot.Tx) error {
			e := run(1, policy.String())
			e.State.Status = status
			return tx.PutLifecycleExecution(t.Context(), e)
		})
		for _, of := range []ingot.ARN{policy, image} {
			if got, err := s.ActiveLifecycle(t.Context(), of); got != want || err != nil {
				t.Errorf("ActiveLifecycle of %s with an execution that is %s = %q, %v, want %q", of, status, got, err, want)
			}
		}
	}
}

// openImages begins the images 1 and 3 of lce-0, and an output of 2.
func openImages(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	begin := func(id, parent string) {
		r := acted(id, parent)
		r.State = &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusInProgress}
		write(t, s, func(tx ingot.Tx) error { return tx.PutLifecycleResource(ctx, "lce-0", r) })
	}
	begin(arn(t, "image/demo/1.0.0/3").String(), "")
	begin(arn(t, "image/demo/1.0.0/1").String(), "")
	begin("ami-1", arn(t, "image/demo/1.0.0/2").String())
	for limit, want := range map[int][]string{1: {"image/demo/1.0.0/1"}, 5: {"image/demo/1.0.0/1", "image/demo/1.0.0/3"}} {
		list, err := s.OpenLifecycleImages(ctx, "lce-0", limit)
		var got []string
		for _, r := range list {
			a, err := ingot.ParseARN(r.ResourceId)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, tail(a))
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("OpenLifecycleImages of %d (-want +got): %v\n%s", limit, err, diff)
		}
	}
}

func lifecycleResources(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	image := arn(t, "image/demo/1.0.0/1")
	write(t, s, func(tx ingot.Tx) error {
		if err := tx.PutLifecycleExecution(ctx, run(0, "")); err != nil {
			return err
		}
		for _, r := range []ingot.LifecycleResource{
			acted(arn(t, "image/demo/1.0.0/3").String(), ""), acted(image.String(), ""), acted(arn(t, "image/demo/1.0.0/2").String(), ""),
			acted("ami-2", image.String()), acted("ami-1", image.String()), acted("ami-2", image.String()),
		} {
			if err := tx.PutLifecycleResource(ctx, "lce-0", r); err != nil {
				return err
			}
		}
		return nil
	})
	list := func(parent ingot.ARN) []string {
		return pages(t, func(after string) ([]ingot.LifecycleResource, string, error) {
			return s.LifecycleResources(ctx, "lce-0", parent, after, 2)
		}, func(r ingot.LifecycleResource) string { return r.ResourceId })
	}
	images := []string{image.String(), arn(t, "image/demo/1.0.0/2").String(), arn(t, "image/demo/1.0.0/3").String()}
	if diff := cmp.Diff(images, list(ingot.ARN{})); diff != "" {
		t.Errorf("images of the execution (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ami-1", "ami-2"}, list(image)); diff != "" {
		t.Errorf("outputs of the image (-want +got):\n%s", diff)
	}
	if got := list(arn(t, "image/demo/1.0.0/2")); got != nil {
		t.Errorf("outputs of another image = %v", got)
	}
	openImages(t, s)
	err := s.Write(ctx, func(tx ingot.Tx) error { return tx.PutLifecycleResource(ctx, "lce-9", acted(image.String(), "")) })
	wantCode(t, "PutLifecycleResource of an unknown execution", err, ingot.CodeNotFound)
}
