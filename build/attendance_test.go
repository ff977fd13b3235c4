package build

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
)

// TestSlotAfterWait: a build that has waited for an action holds its slot from
// its next step to its end, also when the server was killed where the wait is
// being begun or is over but not read.
func TestSlotAfterWait(t *testing.T) {
	const document = `steps:
  - {name: Approve, action: WaitForAction, timeoutSeconds: %d, onFailure: Continue, inputs: {}}
`
	for name, c := range map[string]struct {
		timeout int // seconds
		nth     int // action of the step, before or after which the server is killed
		after   bool
	}{
		"killed when it has begun to wait": {3600, 1, true},
		"killed when time was up":          {1, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, d := fakeLab(t)
			killed, last := newStall("killed", c.after), newStall(actionDistribute, false)
			seen := 0
			l.hook = func(step string, do flow.Action) flow.Action {
				return func(ctx context.Context, in json.RawMessage) (any, error) {
					if step == "Approve" {
						if seen++; seen == c.nth {
							return killed.hook("killed", do)(ctx, in)
						}
					}
					return last.hook(step, do)(ctx, in)
				}
			}
			w := l.workflowOf(model.WorkflowTypeTest, "approval", fmt.Sprintf(document, c.timeout))
			arn := l.image("web", with(runs(w)))
			l.check(l.builder.StartImage(t.Context(), arn))
			l.reach(killed)
			l.kill()
			l.start()
			if c.timeout > 1 {
				s := l.waiting()
				l.wantFreeSlot(arn)
				l.check(l.answer(s, model.WorkflowStepActionTypeResume, "ok"))
			}
			l.reach(last)
			if !l.builder.slots.has(arn.String()) {
				t.Error("the build goes on without a slot")
			}
			l.check(l.builder.CancelImage(t.Context(), arn))
			l.await(arn)
			l.wantNobody(arn)
			l.wantClean(d, 0)
		})
	}
}

// wantNobody checks that nothing is kept in memory of a build that has ended.
func (l *lab) wantNobody(arn ingot.ARN) {
	l.Helper()
	l.wantFreeSlot(arn)
	a := l.builder.attendance
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.busy)+len(a.waiting) > 0 {
		l.Errorf("after the build %s: at work %v, waiting %v", arn, a.busy, a.waiting)
	}
}
