package build

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Limits bound what builds use at a time. A build counts with the largest of
// its instance types. One that is larger than the host is built alone.
type Limits struct {
	// Max is how many builds are at work; 0: the processors, at least 2.
	Max int `yaml:"max" json:"max"`
	// PerAccount and PerPipeline bound the builds of each; 0: no bound.
	PerAccount  int `yaml:"perAccount" json:"perAccount"`
	PerPipeline int `yaml:"perPipeline" json:"perPipeline"`
	// CPUs and MemoryMiB are what instances may have together; 0: what the host
	// has, times Overcommit.
	CPUs       int        `yaml:"cpus" json:"cpus"`
	MemoryMiB  int        `yaml:"memoryMiB" json:"memoryMiB"`
	Overcommit Overcommit `yaml:"overcommit" json:"overcommit"`
}

// Overcommit is how often what the host has is promised to instances. Those in
// containers take only what they use, virtual machines the memory they touch.
type Overcommit struct {
	CPUs   float64 `yaml:"cpus" json:"cpus"`     // 0: twice, as builds wait more than they compute
	Memory float64 `yaml:"memory" json:"memory"` // 0: once
}

// maxOvercommit bounds an Overcommit: more is a slip of the pen.
const maxOvercommit = 100

// Check refuses what no host can mean; the error begins with the field.
func (l Limits) Check() error {
	for _, f := range []struct {
		name string
		n    int
	}{{"max", l.Max}, {"perAccount", l.PerAccount}, {"perPipeline", l.PerPipeline}, {"cpus", l.CPUs}, {"memoryMiB", l.MemoryMiB}} {
		if f.n < 0 {
			return fmt.Errorf("%s %d: must be 0, for the default, or more", f.name, f.n)
		}
	}
	for _, f := range []struct {
		name   string
		factor float64
		other  string
		n      int
	}{{"cpus", l.Overcommit.CPUs, "cpus", l.CPUs}, {"memory", l.Overcommit.Memory, "memoryMiB", l.MemoryMiB}} {
		switch {
		case !(f.factor >= 0 && f.factor <= maxOvercommit): // nor NaN
			return fmt.Errorf("overcommit.%s %g: must be 0, for the default, or more, and at most %d", f.name, f.factor, maxOvercommit)
		case f.factor > 0 && f.n > 0:
			return fmt.Errorf("overcommit.%s %g: has no effect beside %s %d; leave one of them out", f.name, f.factor, f.other, f.n)
		}
	}
	return nil
}

// orHost fills in what depends on the host.
func (l Limits) orHost() Limits {
	return l.or(runtime.NumCPU(), hostMemoryMiB())
}

// or fills in what depends on a host with so many processors and so much memory.
func (l Limits) or(cpus, memoryMiB int) Limits {
	l.Max = cmp.Or(l.Max, max(2, cpus))
	l.CPUs = cmp.Or(l.CPUs, times(cpus, cmp.Or(l.Overcommit.CPUs, 2)))
	l.MemoryMiB = cmp.Or(l.MemoryMiB, times(memoryMiB, cmp.Or(l.Overcommit.Memory, 1)))
	return l
}

// times is n times a factor, at least 1.
func times(n int, factor float64) int {
	return int(min(max(1, float64(n)*factor), math.MaxInt/2))
}

// hostMemoryMiB is the memory of this host; without bound if it does not say.
func hostMemoryMiB() int {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return math.MaxInt
	}
	return int(uint64(info.Totalram) * uint64(info.Unit) >> 20)
}

// ticket is a build that wants to be at work, or is.
type ticket struct {
	image     string // ARN
	account   string
	pipeline  string // ARN; empty: by hand
	created   time.Time
	begun     bool // it was at work before: its instances may be there
	cpus      int
	memoryMiB int
}

// The keys under which turns are counted.
func accountKey(t ticket) string  { return t.account }
func pipelineKey(t ticket) string { return t.account + " " + t.pipeline }

// next is the index of the waiting ticket that may begin beside the held ones,
// or -1. Builds that were begun go first. Then the account whose last turn is
// longest ago, of its pipelines the one likewise, of its builds the oldest.
// Who has reached a bound of its own is passed over; but nobody overtakes a
// build that waits for room on the host, or it might wait for ever.
func (l Limits) next(held, waiting []ticket, turns map[string]int) int {
	free := slices.DeleteFunc(slices.Clone(waiting), func(t ticket) bool { return l.reached(held, t) })
	if len(free) == 0 {
		return -1
	}
	if begun := slices.DeleteFunc(slices.Clone(free), func(t ticket) bool { return !t.begun }); len(begun) > 0 {
		free = begun
	}
	free = ofTurn(free, turns, accountKey)
	free = ofTurn(free, turns, pipelineKey)
	first := slices.MinFunc(free, older)
	if !l.fits(held, first) {
		return -1
	}
	return slices.IndexFunc(waiting, func(t ticket) bool { return t.image == first.image })
}

// ofTurn are the tickets of the key whose turn it is.
func ofTurn(tickets []ticket, turns map[string]int, key func(ticket) string) []ticket {
	first := slices.MinFunc(tickets, func(a, b ticket) int {
		return cmp.Or(cmp.Compare(turns[key(a)], turns[key(b)]), older(a, b))
	})
	return slices.DeleteFunc(slices.Clone(tickets), func(t ticket) bool { return key(t) != key(first) })
}

func older(a, b ticket) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.image, b.image))
}

// reached reports whether the account or pipeline of a ticket has all that it may have.
func (l Limits) reached(held []ticket, t ticket) bool {
	account, pipeline := 0, 0
	for _, h := range held {
		if h.account == t.account {
			account++
		}
		if t.pipeline != "" && pipelineKey(h) == pipelineKey(t) {
			pipeline++
		}
	}
	return l.PerAccount > 0 && account >= l.PerAccount || l.PerPipeline > 0 && pipeline >= l.PerPipeline
}

// fits reports whether the host has room for one more build.
func (l Limits) fits(held []ticket, t ticket) bool {
	if len(held) == 0 {
		return true
	}
	cpus, memory := t.cpus, t.memoryMiB
	for _, h := range held {
		cpus, memory = cpus+h.cpus, memory+h.memoryMiB
	}
	return len(held) < l.Max && cpus <= l.CPUs && memory <= l.MemoryMiB
}
