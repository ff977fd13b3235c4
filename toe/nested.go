package toe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/module"
)

const (
	maxNesting  = 3       // levels of documents below the one that was asked for (§9.7)
	maxExecuted = 100_000 // documents that steps of a run may execute: each stays in its record
)

// executeDocument runs a document within the step, or goes on with it after a
// reboot. Whatever becomes of it ends here: what follows is up to the step's
// own onFailure.
func (s *stepRun) executeDocument(ctx context.Context, call module.Nested) ([]module.Values, error) {
	s.showOmittedInputs()
	if s.run.state.Nested == nil {
		if err := s.begin(ctx, call); err != nil {
			return nil, err
		}
	}
	r := &run{
		session: s.run.session, caller: s, state: s.run.state.Nested,
		record:  s.record.DetailedOutput[len(s.record.DetailedOutput)-1],
		secrets: s.run.secretParameters(call.Parameters),
	}
	next, err := r.perform(ctx)
	if err == nil && next == restart {
		return nil, &module.Reboot{Again: true, Code: r.rebootCode}
	}
	s.run.state.Nested = nil
	if err != nil {
		r.record.FailureMessage = r.mask.text(err.Error())
	}
	result := r.finish()
	if err == nil && result.Status == statusFailed {
		err = errors.New(result.FailureMessage)
	}
	return []module.Values{summary(result)}, err
}

// showOmittedInputs has the record show what the document leaves out (§12.4).
func (s *stepRun) showOmittedInputs() {
	empty := map[module.Type]any{module.String: ""} // of a list: null
	for _, in := range s.step.module.Inputs {
		if _, given := s.inputs[0][in.Name]; !given {
			s.inputs[0][in.Name] = empty[in.Type]
		}
	}
}

// begin makes the state and the record of a document that the step begins.
func (s *stepRun) begin(ctx context.Context, call module.Nested) error {
	source, err := s.run.fetch(ctx, call.Document, call.BucketOwner)
	if err != nil {
		return err
	}
	if err := s.run.mayExecute(source.Path); err != nil {
		return err
	}
	s.run.saved.Executed++
	secrets := s.run.secretParameters(call.Parameters)
	source.Parameters = map[string]string{}
	for _, p := range call.Parameters {
		if _, secret := secrets[p.Name]; !secret {
			source.Parameters[p.Name] = p.Value
		}
	}
	req := s.run.state.Request
	req.ExecutionID, req.Documents, req.Phases = newUUID(), []Source{source}, SplitList(call.Phases)
	req.Components = nil // the session has them
	state := newProgress(req)
	s.run.state.Nested = &state
	s.record.DetailedOutput = append(s.record.DetailedOutput, newRunRecord(req.ExecutionID, s.run.options.Now()))
	s.run.log.Info("nested run starts", "executionId", req.ExecutionID, "document", source.Path)
	return nil
}

// secretParameters are those that the state must not keep (§10.2): after a
// reboot the inputs of the step provide them again.
func (r *run) secretParameters(all []module.Pair) map[string]string {
	secret := map[string]string{}
	for _, p := range all {
		if r.mask.text(p.Value) != p.Value {
			secret[p.Name] = p.Value
		}
	}
	return secret
}

// fetch reads a document that a step executes.
func (r *run) fetch(ctx context.Context, document, owner string) (Source, error) {
	if given := r.saved.Run.Request.Components; given != nil && cloud.IsComponent(document) {
		source, ok := given[document]
		if !ok {
			return Source{}, fmt.Errorf("component %s is not part of this run: it must exist when the run begins, and be written out in the document that executes it", document)
		}
		return source, nil
	}
	if cloud.IsRemote(document) {
		return ReadDocument(ctx, r.cloud, document, owner)
	}
	s, err := ReadDocument(ctx, r.cloud, r.identity(document), owner)
	s.Path = document
	return s, err
}

// mayExecute refuses a document that is under way already, one too deep, and
// one too many.
func (r *run) mayExecute(document string) error {
	identity, depth := r.identity(document), 0
	for caller := r; caller != nil; caller = caller.parent() {
		if caller.identity(caller.documents[caller.state.Position.Document].Path) == identity {
			//lint:ignore ST1005 users see the text as it is in the specification (§9.7)
			return fmt.Errorf("Cyclic document execution detected: %s", document)
		}
		depth++
	}
	if depth > maxNesting {
		//lint:ignore ST1005 users see the text as it is in the specification (§9.7)
		return fmt.Errorf("Maximum document nesting depth (%d) exceeded", maxNesting)
	}
	if r.saved.Executed >= maxExecuted {
		return fmt.Errorf("the steps of a run may execute %d documents, which have been executed", maxExecuted)
	}
	return nil
}

// parent is the run whose step executes this one, nil if there is none.
func (r *run) parent() *run {
	if r.caller == nil {
		return nil
	}
	return r.caller.run
}

// identity is what two names of one document have in common.
func (r *run) identity(document string) string {
	if cloud.IsRemote(document) {
		return document
	}
	if filepath.IsAbs(document) {
		return filepath.Clean(document)
	}
	return filepath.Join(r.state.Request.WorkingDirectory, document)
}

// summary are the outputs of an executed document.
func summary(r Result) module.Values {
	return module.Values{
		"executionId": r.ExecutionID, "status": r.Status, "failureMessage": r.FailureMessage, "logUrl": r.LogURL,
		"executedStepCount":      int64(r.ExecutedStepCount),
		"failedStepCount":        int64(r.FailedStepCount),
		"ignoredFailedStepCount": int64(r.IgnoredFailedStepCount),
	}
}
