package build

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tickets reads "account/pipeline/second[/cpus]" each, named by their text.
func tickets(list ...string) (out []ticket) {
	for _, text := range list {
		t := ticket{image: text, cpus: 1, memoryMiB: 1024}
		var second int
		parts := strings.Split(text, "/")
		t.account, t.pipeline = parts[0], parts[1]
		fmt.Sscan(parts[2], &second)
		if len(parts) > 3 {
			fmt.Sscan(parts[3], &t.cpus)
		}
		t.created = time.Unix(int64(second), 0)
		out = append(out, t)
	}
	return out
}

// drain admits all tickets one by one, each when the one before has ended.
func drain(l Limits, waiting []ticket) (order []string) {
	turns := map[string]int{}
	for turn := 1; len(waiting) > 0; turn++ {
		i := l.next(nil, waiting, turns)
		if i < 0 {
			return append(order, "stuck")
		}
		for _, key := range keys(waiting[i]) {
			turns[key] = turn
		}
		order = append(order, waiting[i].image)
		waiting = slices.Delete(slices.Clone(waiting), i, i+1)
	}
	return order
}

func TestQueueOrder(t *testing.T) {
	for name, test := range map[string]struct{ waiting, want []string }{
		"first come": {[]string{"a/p/2", "a/p/1", "a/p/3"}, []string{"a/p/1", "a/p/2", "a/p/3"}},
		"accounts in turn": {
			[]string{"a/p/1", "a/p/2", "a/p/3", "b/p/4", "b/p/5"},
			[]string{"a/p/1", "b/p/4", "a/p/2", "b/p/5", "a/p/3"},
		},
		"pipelines in turn": {
			[]string{"a/p/1", "a/p/2", "a/p/3", "a/q/4", "a//5"},
			[]string{"a/p/1", "a/q/4", "a//5", "a/p/2", "a/p/3"},
		},
		"many pipelines are no more than one account": {
			[]string{"a/p/1", "a/q/2", "a/r/3", "b/p/9", "b/p/10"},
			[]string{"a/p/1", "b/p/9", "a/q/2", "b/p/10", "a/r/3"},
		},
	} {
		if diff := cmp.Diff(test.want, drain(Limits{Max: 1}, tickets(test.waiting...))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestQueueLimits(t *testing.T) {
	host := Limits{Max: 3, CPUs: 4, MemoryMiB: 4096}
	bounded := Limits{Max: 9, CPUs: 99, MemoryMiB: 1 << 20, PerAccount: 2, PerPipeline: 1}
	for name, test := range map[string]struct {
		limits  Limits
		held    []string
		waiting []string
		want    string
	}{
		"room":                           {host, []string{"a/p/1"}, []string{"a/p/2/3"}, "a/p/2/3"},
		"number":                         {host, []string{"a/p/1", "a/p/2", "a/p/3"}, []string{"b/p/4"}, ""},
		"processors":                     {host, []string{"a/p/1/2"}, []string{"b/p/4/3"}, ""},
		"nobody overtakes":               {host, []string{"a/p/1/2"}, []string{"b/p/4/3", "b/q/5/1"}, ""},
		"larger than the host, alone":    {host, nil, []string{"b/p/4/64"}, "b/p/4/64"},
		"larger than the host, together": {host, []string{"a/p/1"}, []string{"b/p/4/64"}, ""},
		"account":                        {bounded, []string{"a/p/1", "a/q/2"}, []string{"a/r/3", "b/p/9"}, "b/p/9"},
		"pipeline":                       {bounded, []string{"a/p/1"}, []string{"a/p/3", "a/q/9"}, "a/q/9"},
		"by hand is no pipeline":         {bounded, []string{"a//1"}, []string{"a//2"}, "a//2"},
		"all bounded":                    {bounded, []string{"a/p/1"}, []string{"a/p/3"}, ""},
	} {
		got, waiting := "", tickets(test.waiting...)
		if i := test.limits.next(tickets(test.held...), waiting, map[string]int{}); i >= 0 {
			got = waiting[i].image
		}
		if got != test.want {
			t.Errorf("%s: next is %q, want %q", name, got, test.want)
		}
	}
	memory := tickets("a/p/1", "b/p/2")
	memory[0].memoryMiB, memory[1].memoryMiB = 3072, 2048
	if i := host.next(memory[:1], memory[1:], nil); i != -1 {
		t.Error("the memory of the host is promised twice")
	}
	begun := tickets("a/p/1", "b/p/2")
	begun[1].begun = true
	if i := host.next(nil, begun, nil); i != 1 {
		t.Error("a new build goes before one that was begun")
	}
}

func TestLimitsOfAHost(t *testing.T) {
	for name, c := range map[string]struct{ given, want Limits }{
		"default":           {Limits{}, Limits{Max: 4, CPUs: 8, MemoryMiB: 8192}},
		"over-commit":       {Limits{Overcommit: Overcommit{CPUs: 3, Memory: 1.5}}, Limits{Max: 4, CPUs: 12, MemoryMiB: 12288}},
		"less than it has":  {Limits{Overcommit: Overcommit{CPUs: 0.5, Memory: 0.25}}, Limits{Max: 4, CPUs: 2, MemoryMiB: 2048}},
		"next to nothing":   {Limits{Overcommit: Overcommit{CPUs: 0.01}}, Limits{Max: 4, CPUs: 1, MemoryMiB: 8192}},
		"numbers":           {Limits{Max: 1, CPUs: 3, MemoryMiB: 1000}, Limits{Max: 1, CPUs: 3, MemoryMiB: 1000}},
		"one number of two": {Limits{CPUs: 3, Overcommit: Overcommit{Memory: 2}}, Limits{Max: 4, CPUs: 3, MemoryMiB: 16384}},
	} {
		c.want.Overcommit = c.given.Overcommit
		if got := c.given.or(4, 8192); got != c.want {
			t.Errorf("%s: limits %+v, want %+v", name, got, c.want)
		}
		if err := c.given.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := (Limits{}).or(4, math.MaxInt).MemoryMiB; got < math.MaxInt/4 {
		t.Errorf("a host that does not say what memory it has is given %d MiB", got)
	}
	for want, l := range map[string]Limits{
		"overcommit.cpus -1":     {Overcommit: Overcommit{CPUs: -1}},
		"overcommit.memory NaN":  {Overcommit: Overcommit{Memory: math.NaN()}},
		"overcommit.memory 1000": {Overcommit: Overcommit{Memory: 1000}},
		"beside cpus 4":          {CPUs: 4, Overcommit: Overcommit{CPUs: 2}},
		"beside memoryMiB 4":     {MemoryMiB: 4, Overcommit: Overcommit{Memory: 2}},
	} {
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check of %+v = %v, want an error with %q", l, err, want)
		}
	}
}

// TestQueueStarvesNobody: whatever comes and ends, the bounds hold, all that
// waits begins, and between two turns of a waiting account no other has two.
func TestQueueStarvesNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := Limits{
			Max: rapid.IntRange(1, 3).Draw(rt, "max"), CPUs: 4, MemoryMiB: 8192,
			PerAccount: rapid.IntRange(0, 2).Draw(rt, "perAccount"), PerPipeline: rapid.IntRange(0, 2).Draw(rt, "perPipeline"),
		}
		s := newSlots(l, nil)
		s.open()
		made, begun := 0, 0
		since := map[string]map[string]int{} // account that waits: others' admissions since it waited or had its turn
		var running []string
		observe := func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for image, h := range s.held {
				if slices.Contains(running, image) {
					continue
				}
				running, begun = append(running, image), begun+1
				for _, counts := range since {
					counts[h.account]++
				}
				delete(since, h.account)
			}
			account := map[string]int{}
			for _, h := range s.held {
				if account[h.account]++; l.PerAccount > 0 && account[h.account] > l.PerAccount {
					rt.Fatalf("account %s has %d builds at work", h.account, account[h.account])
				}
			}
			if len(s.held) > l.Max {
				rt.Fatalf("%d builds are at work, at most %d may", len(s.held), l.Max)
			}
			waiting := map[string]bool{}
			for _, w := range s.waiting {
				waiting[w.account] = true
				if since[w.account] == nil {
					since[w.account] = map[string]int{}
				}
			}
			for name, counts := range since {
				if !waiting[name] {
					delete(since, name)
					continue
				}
				for other, n := range counts {
					if n > 1 && l.PerAccount == 0 && l.PerPipeline == 0 {
						rt.Fatalf("account %s had %d turns while %s waited", other, n, name)
					}
				}
			}
		}
		end := func() {
			i := rapid.IntRange(0, len(running)-1).Draw(rt, "ends")
			s.give(running[i])
			running = slices.Delete(running, i, i+1)
			observe()
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if len(running) > 0 && rapid.Bool().Draw(rt, "end") {
				end()
				continue
			}
			s.enlist(ticket{
				image:   fmt.Sprint(made),
				account: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "account"), pipeline: rapid.SampledFrom([]string{"", "p", "q"}).Draw(rt, "pipeline"),
				created: time.Unix(int64(made), 0), cpus: rapid.IntRange(1, 6).Draw(rt, "cpus"), memoryMiB: 1024,
			}, 1)
			made++
			observe()
		}
		for len(running) > 0 {
			end()
		}
		if begun != made || len(s.waiting) > 0 || len(s.turns) > 0 {
			rt.Fatalf("of %d builds %d began; %d wait, and %d turns are remembered", made, begun, len(s.waiting), len(s.turns))
		}
	})
}

// oneAtATime are slots for the tickets of a test.
func oneAtATime(all []ticket) *slots {
	return newSlots(Limits{Max: 1, CPUs: 9, MemoryMiB: 1 << 20}, func(_ context.Context, image string) (ticket, error) {
		return all[slices.IndexFunc(all, func(t ticket) bool { return t.image == image })], nil
	})
}

// After a restart steps ask in any order; the queue has that of the records.
func TestSlotsAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := tickets("a/p/1", "a/p/2", "a/p/3")
		all[2].begun = true
		s := oneAtATime(all)
		admitted := make(chan string)
		for _, image := range []string{"a/p/2", "a/p/3"} { // before the server has read the records
			go func() {
				if err := s.take(t.Context(), image); err == nil {
					admitted <- image
				}
			}()
		}
		synctest.Wait()
		for _, x := range all {
			s.enlist(x, 0)
		}
		s.open()
		order := []string{<-admitted}
		s.give("a/p/3")
		synctest.Wait()
		go func() {
			if err := s.take(t.Context(), "a/p/1"); err == nil { // its step comes late, its turn is kept
				admitted <- "a/p/1"
			}
		}()
		order = append(order, <-admitted)
		s.give("a/p/1")
		order = append(order, <-admitted)
		if diff := cmp.Diff([]string{"a/p/3", "a/p/1", "a/p/2"}, order); diff != "" {
			t.Errorf("order after a restart (-want +got):\n%s", diff)
		}
	})
}

// Steps side by side wait for one slot; one that is cancelled does not take
// the place of the other.
func TestSlotsSharedByStepsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := oneAtATime(tickets("a/p/1", "a/p/2"))
		s.open()
		if err := s.take(t.Context(), "a/p/1"); err != nil {
			t.Fatal(err)
		}
		cancelled, cancel := context.WithCancelCause(t.Context())
		why := errors.New("cancelled")
		failed, taken := make(chan error, 1), make(chan error, 1)
		go func() { failed <- s.take(cancelled, "a/p/2") }()
		go func() { taken <- s.take(t.Context(), "a/p/2") }()
		synctest.Wait()
		cancel(why)
		if err := <-failed; !errors.Is(err, why) {
			t.Errorf("the cancelled step got %v", err)
		}
		s.give("a/p/1")
		if err := <-taken; err != nil || !s.has("a/p/2") {
			t.Errorf("the other step: %v, has a slot: %t", err, s.has("a/p/2"))
		}
		s.give("a/p/2")
		if len(s.held)+len(s.waiting)+len(s.turns) > 0 {
			t.Errorf("left: %v, %v, %v", s.held, s.waiting, s.turns)
		}
	})
}

// Whoever gave its slot back, for an approval, takes one again before builds
// that were not begun.
func TestSlotGivenAndTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := tickets("a/p/1", "b/p/2", "c/p/3")
		s := oneAtATime(all)
		s.open()
		if err := s.take(t.Context(), "a/p/1"); err != nil {
			t.Fatal(err)
		}
		admitted := make(chan string, 2)
		ask := func(image string) {
			go func() {
				if err := s.take(t.Context(), image); err == nil {
					admitted <- image
				}
			}()
			synctest.Wait()
		}
		ask("b/p/2")
		s.give("a/p/1") // it waits
		if got := <-admitted; got != "b/p/2" {
			t.Errorf("%s has the slot", got)
		}
		ask("c/p/3")
		all[0].begun = true
		ask("a/p/1") // it was approved
		s.give("b/p/2")
		if got := <-admitted; got != "a/p/1" {
			t.Errorf("%s goes on first", got)
		}
		s.give("a/p/1")
		if got := <-admitted; got != "c/p/3" {
			t.Errorf("%s comes last", got)
		}
	})
}
