package build

import (
	"context"
	"errors"
	"sync"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// maxParallel is how many workflows of a group run at a time. Source: workflows.md §9.
const maxParallel = 5

// kindNotStarted marks the error of a workflow whose group was over before its turn.
const kindNotStarted = "notStarted"

var (
	errGroupFull = errors.New("the group has as many workflows at work as may be")
	errGroupOver = errors.New("another workflow of the group has failed")
)

// checkGroup says whether a workflow may begin beside those of its group. Only
// the records know: after a restart there is nothing else.
func (w *work) checkGroup(ctx context.Context, tx ingot.Tx) error {
	if w.Workflow.Group == "" {
		return nil
	}
	mates := map[string]scheduled{}
	for _, s := range w.Plan.Workflows {
		if s.Group == w.Workflow.Group {
			mates[executionID(w.Plan.Image, s.Key, w.Run)] = s
		}
	}
	list, err := executions(ctx, tx, w.image)
	if err != nil {
		return err
	}
	running := 0
	for _, e := range list {
		mate, ok := mates[e.WorkflowExecutionId]
		switch {
		case !ok:
		case isRunning(e):
			running++
		case e.Status != model.WorkflowExecutionStatusCompleted && mate.OnFailure != model.OnWorkflowFailureContinue:
			return errGroupOver
		}
	}
	if running >= maxParallel {
		return errGroupFull
	}
	return nil
}

// changes wakes those who wait for a record to change.
type changes struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns what is closed by the next change.
func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan struct{})
	}
	return c.ch
}

func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}
