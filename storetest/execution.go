package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func tokens(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	key := ingot.TokenKey{Scope: scope, Operation: "CreateImage", Token: "t"}
	want := ingot.TokenResponse{Digest: "d", Response: json.RawMessage(`{"a":1}`), Expires: noon.Add(time.Hour)}
	write(t, s, func(tx ingot.Tx) error {
		_, err := tx.FindToken(ctx, key, noon)
		wantCode(t, "FindToken of a new token", err, ingot.CodeNotFound)
		return tx.SaveToken(ctx, key, want, noon)
	})
	write(t, s, func(tx ingot.Tx) error {
		got, err := tx.FindToken(ctx, key, noon)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("FindToken (-want +got): %v\n%s", err, diff)
		}
		other := key
		other.Operation = "CreateComponent"
		_, err = tx.FindToken(ctx, other, noon)
		wantCode(t, "FindToken of another operation", err, ingot.CodeNotFound)
		_, err = tx.FindToken(ctx, key, want.Expires)
		wantCode(t, "FindToken when it has expired", err, ingot.CodeNotFound)
		return tx.SaveToken(ctx, key, want, want.Expires) // drops the expired one, stores anew
	})
}

func execution(image ingot.ARN, n int) ingot.WorkflowExecution {
	return ingot.WorkflowExecution{GetWorkflowExecutionResponse: model.GetWorkflowExecutionResponse{
		WorkflowExecutionId: fmt.Sprintf("wf-%d", n), ImageBuildVersionArn: image.String(),
		Status: "RUNNING", StartTime: model.DateTime(noon.Add(time.Duration(n) * time.Second)),
	}}
}

func step(execution string, n int) ingot.StepExecution {
	return ingot.StepExecution{Order: n, GetWorkflowStepExecutionResponse: model.GetWorkflowStepExecutionResponse{
		StepExecutionId: fmt.Sprintf("step-%s-%d", execution, n), WorkflowExecutionId: execution, Name: fmt.Sprint("s", n),
	}}
}

func executions(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	image := record(t, "image/demo/1.0.0/1")
	create(t, s, image)
	write(t, s, func(tx ingot.Tx) error {
		for n := range 3 {
			if err := tx.PutWorkflowExecution(ctx, execution(image.ARN, n)); err != nil {
				return err
			}
			if err := tx.PutStepExecution(ctx, step("wf-0", 12-5*n)); err != nil {
				return err
			}
		}
		done := execution(image.ARN, 1)
		done.Status, done.Retried = "COMPLETED", true
		return tx.PutWorkflowExecution(ctx, done)
	})
	got, err := s.WorkflowExecution(ctx, "wf-1")
	if err != nil || got.Status != "COMPLETED" || !got.Retried {
		t.Errorf("WorkflowExecution = %+v, %v; want the last one put", got, err)
	}
	var seen []string
	for after, more := "", true; more; more = after != "" {
		list, next, err := s.WorkflowExecutions(ctx, image.ARN, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			seen = append(seen, e.WorkflowExecutionId)
		}
		after = next
	}
	for after, more := "", true; more; more = after != "" {
		list, next, err := s.StepExecutions(ctx, "wf-0", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			seen = append(seen, e.Name)
		}
		after = next
	}
	if diff := cmp.Diff([]string{"wf-2", "wf-1", "wf-0", "s2", "s7", "s12"}, seen); diff != "" {
		t.Errorf("executions newest first, then steps in order (-want +got):\n%s", diff)
	}
	waitingSteps(t, s, image.ARN)
	write(t, s, func(tx ingot.Tx) error { return tx.Delete(ctx, image.ARN) })
	if list, _, err := s.WaitingSteps(ctx, image.ARN.Scope(), "", 5); err != nil || len(list) != 0 {
		t.Errorf("after the image was deleted %v wait (%v)", list, err)
	}
	_, err = s.WorkflowExecution(ctx, "wf-1")
	wantCode(t, "WorkflowExecution of a deleted image", err, ingot.CodeNotFound)
	_, err = s.StepExecution(ctx, "step-wf-0-2")
	wantCode(t, "StepExecution of a deleted image", err, ingot.CodeNotFound)
}

func packages(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	image := arn(t, "image/demo/1.0.0/1")
	put := func(names ...string) {
		var list []ingot.ImagePackage
		for _, n := range names {
			list = append(list, ingot.ImagePackage{PackageName: n, PackageVersion: "1"})
		}
		write(t, s, func(tx ingot.Tx) error { return tx.PutImagePackages(ctx, image, list) })
	}
	put("gone")
	put("zlib", "bash", "curl", "bash")
	var got []string
	for after, more := "", true; more; more = after != "" {
		list, next, err := s.ImagePackages(ctx, image, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			got = append(got, p.PackageName)
		}
		after = next
	}
	if diff := cmp.Diff([]string{"bash", "curl", "zlib"}, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func amis(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	ami := ingot.AMI{Scope: scope, ID: "ami-1", Name: "web 1", Snapshot: "snap-1", Tags: map[string]string{"a": "b"}, Created: noon}
	for range 2 {
		if err := s.RegisterAMI(ctx, ami); err != nil {
			t.Fatalf("RegisterAMI, again with the same snapshot: %v", err)
		}
	}
	other := ami
	other.Snapshot = "snap-2"
	wantCode(t, "RegisterAMI with another snapshot", s.RegisterAMI(ctx, other), ingot.CodeExists)
	managed := ami
	managed.ID, managed.Account = "ami-2", ingot.ManagedAccount
	if err := s.RegisterAMI(ctx, managed); err != nil {
		t.Fatal(err)
	}
	got, err := s.FindAMI(ctx, scope, "ami-1")
	if diff := cmp.Diff(ami, got); diff != "" || err != nil {
		t.Errorf("FindAMI (-want +got): %v\n%s", err, diff)
	}
	if _, err := s.FindAMI(ctx, scope, "ami-2"); err != nil {
		t.Errorf("FindAMI of the catalogue: %v", err)
	}
	stranger := ingot.Scope{Account: "999999999999", Region: scope.Region}
	_, err = s.FindAMI(ctx, stranger, "ami-1")
	wantCode(t, "FindAMI of another account", err, ingot.CodeNotFound)
	_, err = s.DeleteAMI(ctx, stranger, "ami-1")
	wantCode(t, "DeleteAMI of another account", err, ingot.CodeNotFound)
	wantCode(t, "UpdateAMI of another account", s.UpdateAMI(ctx, stranger, "ami-1", func(*ingot.AMI) {}), ingot.CodeNotFound)
	_, err = s.FindAMINamed(ctx, stranger, "web 1")
	wantCode(t, "FindAMINamed of another account", err, ingot.CodeNotFound)
	permit(t, s, stranger)
	if list, err := s.ListAMIs(ctx, scope); err != nil || len(list) != 1 || list[0].ID != "ami-1" {
		t.Errorf("ListAMIs = %v, %v; want the account's own", list, err)
	}
	if list, err := s.ListAMIs(ctx, ingot.Scope{Region: scope.Region}); err != nil || len(list) != 2 {
		t.Errorf("ListAMIs without an account = %v, %v; want those of all accounts", list, err)
	}
	deregistered(t, s)
	if was, err := s.DeleteAMI(ctx, scope, "ami-1"); err != nil || was.Snapshot != "snap-1" {
		t.Fatalf("DeleteAMI = %+v, %v, want what it was", was, err)
	}
	_, err = s.FindAMI(ctx, scope, "ami-1")
	wantCode(t, "FindAMI after DeleteAMI", err, ingot.CodeNotFound)
}

// deregistered leaves nothing of ami-1 but its snapshot, and the right to delete that.
func deregistered(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	if users, err := s.AMIsOfSnapshot(ctx, scope.Region, "snap-1", 5); err != nil || len(users) != 2 {
		t.Errorf("AMIsOfSnapshot = %v, %v, want those of both accounts", users, err)
	}
	if err := s.UpdateAMI(ctx, scope, "ami-1", func(a *ingot.AMI) { a.Deregistered = true }); err != nil {
		t.Fatal(err)
	}
	_, err := s.FindAMI(ctx, scope, "ami-1")
	wantCode(t, "FindAMI of one that is deregistered", err, ingot.CodeNotFound)
	_, err = s.FindAMINamed(ctx, scope, "web 1")
	wantCode(t, "FindAMINamed of one that is deregistered", err, ingot.CodeNotFound)
	wantCode(t, "UpdateAMI of one that is deregistered", s.UpdateAMI(ctx, scope, "ami-1", func(*ingot.AMI) {}), ingot.CodeNotFound)
	if users, err := s.AMIsOfSnapshot(ctx, scope.Region, "snap-1", 1); err != nil || len(users) != 1 {
		t.Errorf("AMIsOfSnapshot = %v, %v, want it to hold its snapshot", users, err)
	}
}

// permit lets another account use ami-1.
func permit(t *testing.T, s ingot.Store, to ingot.Scope) {
	err := s.UpdateAMI(t.Context(), scope, "ami-1", func(a *ingot.AMI) {
		a.Permission = &model.LaunchPermissionConfiguration{UserIds: []string{to.Account}}
		a.ID, a.Snapshot = "ami-9", "snap-9" // which do not change
	})
	if err != nil {
		t.Fatal(err)
	}
	shared, err := s.FindAMI(t.Context(), to, "ami-1")
	if err != nil || shared.Snapshot != "snap-1" || shared.Account != scope.Account {
		t.Errorf("FindAMI of one that is shared = %+v, %v; want the owner's, unchanged", shared, err)
	}
	if named, err := s.FindAMINamed(t.Context(), scope, "web 1"); err != nil || named.ID != "ami-1" {
		t.Errorf("FindAMINamed = %+v, %v; want ami-1", named, err)
	}
}

func secrets(t *testing.T, s ingot.Store) {
	read := func(name string) []byte {
		b, err := s.Secret(t.Context(), name)
		if err != nil || len(b) < 32 {
			t.Fatalf("Secret(%s) has %d bytes, %v; want at least 32", name, len(b), err)
		}
		return b
	}
	if !bytes.Equal(read("a"), read("a")) || bytes.Equal(read("a"), read("b")) {
		t.Error("secrets must stay, and differ by name")
	}
}

// waitingSteps are listed in pages, by namespace, until they have an answer.
func waitingSteps(t *testing.T, s ingot.Store, image ingot.ARN) {
	ctx := t.Context()
	waits := func(n int) ingot.StepExecution {
		w := step("wf-0", n)
		w.ImageBuildVersionArn, w.Status = image.String(), model.WorkflowStepExecutionStatusRunning
		w.Wait = &ingot.StepWait{Signal: "s"}
		return w
	}
	list := func(scope ingot.Scope) (names []string) {
		for after, more := "", true; more; more = after != "" {
			page, next, err := s.WaitingSteps(ctx, scope, after, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range page {
				names = append(names, w.Name)
			}
			after = next
		}
		return names
	}
	write(t, s, func(tx ingot.Tx) error {
		return errors.Join(tx.PutStepExecution(ctx, waits(2)), tx.PutStepExecution(ctx, waits(7)))
	})
	if diff := cmp.Diff([]string{"s2", "s7"}, list(image.Scope())); diff != "" {
		t.Errorf("waiting steps (-want +got):\n%s", diff)
	}
	other := image.Scope()
	other.Region = "eu-elsewhere-1"
	if names := list(other); names != nil {
		t.Errorf("in another region %v wait", names)
	}
	var answered ingot.StepExecution
	write(t, s, func(tx ingot.Tx) (err error) {
		answered, err = ingot.AnswerStep(ctx, tx, waits(2).StepExecutionId, image.String(), ingot.StepAnswer{Action: model.WorkflowStepActionTypeResume})
		return err
	})
	if diff := cmp.Diff([]string{"s7"}, list(image.Scope())); diff != "" || answered.IsWaiting() {
		t.Errorf("after an answer (-want +got):\n%s", diff)
	}
}
