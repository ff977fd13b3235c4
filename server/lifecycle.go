package server

import (
	"context"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/lifecycle"
	"ingot.dev/ingot/model"
)

func (s *Server) openLifecycle() {
	s.lifecycle = lifecycle.New(lifecycle.Config{Store: s.db, Regions: s.regions, Now: time.Now, Log: s.Log})
}

// findLifecycle takes the name of a lifecycle policy or its ARN.
func (s *Server) findLifecycle(ctx context.Context, name string) (ingot.Record, error) {
	record, err := s.findNamed(ctx, ingot.KindLifecycle, name)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		err = ingot.Errorf(ingot.CodeNotFound, "lifecycle policy %s: is not there; `aws imagebuilder list-lifecycle-policies` shows those that are", name)
	}
	return record, err
}

// previewLifecycle says what a policy would do now. It records nothing.
func (s *Server) previewLifecycle(ctx context.Context, in admin.LifecycleName, _ admin.Send) (admin.LifecyclePreview, error) {
	record, err := s.findLifecycle(ctx, in.Policy)
	if err != nil {
		return admin.LifecyclePreview{}, err
	}
	out := admin.LifecyclePreview{Policy: record.ARN.String(), Status: record.Status, Rows: []admin.LifecycleRow{}}
	if record.Status == string(model.LifecyclePolicyStatusEnabled) {
		out.NextRun = ingot.NextLifecycleRun(record.ARN, time.Now())
	}
	rows, err := s.lifecycle.Preview(ctx, record)
	for _, r := range rows {
		out.Rows = append(out.Rows, admin.LifecycleRow{
			Image: r.Parent, Resource: r.ResourceId, Region: r.Region, Account: r.AccountId, Action: string(r.Action.Name),
			Why: r.Action.Reason, State: string(r.State.Status), Reason: r.State.Reason,
		})
	}
	return out, err
}

// runLifecycle makes an enabled policy due now.
func (s *Server) runLifecycle(ctx context.Context, in admin.LifecycleName, _ admin.Send) (admin.None, error) {
	record, err := s.findLifecycle(ctx, in.Policy)
	if err != nil {
		return admin.None{}, err
	}
	if record.Status != string(model.LifecyclePolicyStatusEnabled) {
		return admin.None{}, ingot.Errorf(ingot.CodeInvalid, "lifecycle policy %s: is %s; one that is ENABLED can run", in.Policy, record.Status)
	}
	err = s.db.Write(ctx, func(tx ingot.Tx) error {
		return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: record.ARN.String(), At: time.Now()})
	})
	s.lifecycle.Changed()
	return admin.None{}, err
}
