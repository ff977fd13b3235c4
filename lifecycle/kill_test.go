package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// hooked is a store that asks before each of its writes, and after it.
type hooked struct {
	ingot.Store
	before, after func() error // nil: goes on
}

func (h *hooked) around(f func() error) error {
	for _, do := range []func() error{h.before, f, h.after} {
		if do == nil {
			continue
		}
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func (h *hooked) Write(ctx context.Context, f func(ingot.Tx) error) error {
	return h.around(func() error { return h.Store.Write(ctx, f) })
}

func (h *hooked) UpdateAMI(ctx context.Context, scope ingot.Scope, id string, change func(*ingot.AMI)) error {
	return h.around(func() error { return h.Store.UpdateAMI(ctx, scope, id, change) })
}

func (h *hooked) DeleteAMI(ctx context.Context, scope ingot.Scope, id string) (was ingot.AMI, err error) {
	err = h.around(func() error {
		was, err = h.Store.DeleteAMI(ctx, scope, id)
		return err
	})
	return was, err
}

// TestKilled cuts a run off before and after each of its writes. What a new
// start makes of it is what an undisturbed run does.
func TestKilled(t *testing.T) {
	want, writes := runKilled(t, 0, false)
	delete(want, "rows") // which the tests of runs are about
	if diff := cmp.Diff(map[string][]string{
		"images": {"1.0.0/2 DISABLED", "1.0.0/4 DISABLED"}, "amis": want["amis"],
		"execution": {"SUCCESS"}, "snapshots": {"2 0"}, "due": {"1"},
	}, want); diff != "" || writes < 10 || len(want["amis"]) != 2 {
		t.Fatalf("an undisturbed run makes %d writes and leaves (-want +got):\n%s", writes, diff)
	}
	want, _ = runKilled(t, 0, false)
	for n := 1; n <= writes; n++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, written %t", n, written), func(t *testing.T) {
				got, _ := runKilled(t, n, written)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-undisturbed +killed):\n%s", diff)
				}
			})
		}
	}
}

// runKilled runs a policy until write n, which is or is not done, then starts
// anew. It returns what is there in the end, and how many writes there were.
func runKilled(t *testing.T, n int, written bool) (state map[string][]string, writes int) {
	l := newLab(t)
	both, one := l.image("1.0.0/1", 40, model.ImageStatusDisabled), l.image("1.0.0/2", 40, model.ImageStatusDisabled)
	l.ami(both, north)
	l.ami(both, south)
	l.ami(one, north, func(a *ingot.AMI) { a.Tags = map[string]string{"keep": "yes"} })
	l.image("1.0.0/3", 40, model.ImageStatusFailed)
	young := l.image("1.0.0/4", 20, available)
	l.ami(young, north)
	p := l.policy("tidy", "1.x.x",
		rule(deletes, older(30), including(true), excluding(model.LifecyclePolicyDetailExclusionRulesAmis{TagMap: map[string]string{"keep": "yes"}})),
		rule(disables, older(10), including(false)))
	l.enable(p, model.LifecyclePolicyStatusEnabled)
	dead := false
	kill := func() error {
		if dead {
			return ingot.Errorf(ingot.CodeUnavailable, "killed at write %d", n)
		}
		return nil
	}
	l.start(&hooked{
		Store: l.DB,
		before: func() error {
			if writes++; writes == n && !written {
				dead = true
			}
			return kill()
		},
		after: func() error {
			dead = dead || writes == n
			return kill()
		},
	})
	l.now = l.now.AddDate(0, 0, 1)
	_, err := l.runner.Pass(t.Context())
	if (err != nil) != dead {
		t.Fatalf("Pass = %v", err)
	}
	l.start(l.DB)
	l.pass()
	e := l.last(p)
	amis := []string{}
	for _, region := range []string{north, south} {
		list, err := l.ListAMIs(t.Context(), ingot.Scope{Region: region})
		l.check(err)
		for _, a := range list {
			amis = append(amis, a.ID+" "+a.State())
		}
	}
	slices.Sort(amis)
	dues, err := l.LifecycleDues(t.Context(), 5)
	l.check(err)
	return map[string][]string{
		"images":    l.images(),
		"amis":      amis,
		"execution": {string(e.State.Status)},
		"rows":      slices.Concat(l.rows(e.LifecycleExecutionId, ingot.ARN{}), l.rows(e.LifecycleExecutionId, both), l.rows(e.LifecycleExecutionId, one), l.rows(e.LifecycleExecutionId, young)),
		"snapshots": {fmt.Sprint(l.snapshots(north), l.snapshots(south))},
		"due":       {fmt.Sprint(len(dues))},
	}, writes
}
