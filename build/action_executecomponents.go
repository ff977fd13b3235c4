package build

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// executeComponents runs phases of all components in recipe order, in one run.
// Source: workflows.md §7.3.
func (w *work) executeComponents(ctx context.Context) (map[string]any, error) {
	phases := []string{"build", "validate"}
	if w.Workflow.Type == model.WorkflowTypeTest {
		phases = []string{"test"}
	}
	documents, err := w.documents(ctx, phases)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 {
		return nil, skipped{"No component has the phase " + strings.Join(phases, " or ")}
	}
	executed, err := w.executed(ctx)
	if err != nil {
		return nil, err
	}
	inst, err := w.adopt(ctx)
	if err != nil {
		return nil, err
	}
	run := guest.Run{ID: w.commandID(), Request: w.request(documents, executed, phases)}
	result, err := w.runComponents(ctx, inst, run)
	if err != nil {
		if !isInterrupted(ctx) {
			w.observePhase(w.phases.first, w.Now(), err)
		}
		return nil, err
	}
	w.fetchLogs(ctx, inst)
	if result.Status == "failed" {
		err = w.failedComponent(result)
	}
	w.observePhase(w.phases.first, w.phases.last, err)
	if err != nil {
		return nil, err
	}
	summary, err := encode(result)
	return map[string]any{
		"runCommandId": run.ID, "status": "Success", "output": summary, "cacheKey": w.Plan.CacheKeys[len(w.Plan.CacheKeys)-1],
	}, err
}

// documents reads the components that have one of the phases.
func (w *work) documents(ctx context.Context, phases []string) ([]toe.Source, error) {
	var list []toe.Source
	for _, c := range w.Plan.Components {
		if !c.has(phases...) {
			continue
		}
		source, err := w.document(ctx, c)
		if err != nil {
			return nil, err
		}
		list = append(list, source)
	}
	return list, nil
}

// executed reads the components that steps execute.
func (w *work) executed(ctx context.Context) (map[string]toe.Source, error) {
	all := map[string]toe.Source{}
	for text, c := range w.Plan.Executed {
		var err error
		if all[text], err = w.document(ctx, c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// document reads a component and makes sure that it is what the plan was made of.
func (w *work) document(ctx context.Context, c component) (toe.Source, error) {
	found, data, err := w.component(ctx, w.image.Account, c.ARN)
	if err != nil {
		return toe.Source{}, fmt.Errorf("reading component %s: %w", c.ARN, err)
	}
	if found.Digest != c.Digest {
		return toe.Source{}, fmt.Errorf("reading component %s: its document has the SHA-256 %s, the build began with %s", c.ARN, found.Digest, c.Digest)
	}
	return toe.Source{Path: c.ARN, Data: data, Parameters: c.Parameters}, nil
}

// request is the run as the executor wants it. Source: component-documents.md §13.3, §13.4.
func (w *work) request(documents []toe.Source, executed map[string]toe.Source, phases []string) toe.Request {
	return toe.Request{
		ExecutionID: w.commandID(),
		Documents:   documents, Components: executed, Phases: phases,
		LogDirectory: toeDirectory, WorkingDirectory: w.Plan.Directory, HandOffReboot: true,
		Environment: map[string]string{
			"WORKING_DIRECTORY":           w.Plan.Directory,
			"IMAGE_WORKFLOW_EXECUTION_ID": w.execution(),
			"IMAGE_STEP_EXECUTION_ID":     w.stepID(),
			"IMAGE_BUILD_VERSION_ARN":     w.Plan.Image,
			"IMAGE_PIPELINE_ARN":          w.Plan.Pipeline,
			"IMAGE_PHASE":                 string(stageOf[w.Workflow.Type]),
			"IMAGE_VERSION":               w.image.Version.String(),
			"IMAGE_BUILD_VERSION":         strconv.Itoa(w.image.Build),
		},
	}
}
