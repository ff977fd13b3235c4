package build

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// PartKind is what a Part is one of.
type PartKind string

const (
	PartBuild PartKind = "build" // a whole run, from its request to its end
	PartQueue PartKind = "queue" // the wait for a slot
	PartStep  PartKind = "step"  // an attempt at a step
)

// Part is a part of a build that has ended: what metrics and traces are made
// of. One that a killed server had not told of, or told of just before, is told
// of by the next server, so a part may come twice; its ids are the same then.
type Part struct {
	Run    string // of the engine: an image, or one of its retries
	ID     string // unique in the run
	Parent string // ID of the part that this one belongs to; empty for a build
	Kind   PartKind
	Name   string // for people
	Action string // of a step
	Status string // of the image or the step, as the API has it
	Reason string // why it has failed; empty: it has not
	Start  time.Time
	End    time.Time
}

// partBuild is the ID of a run's build.
const partBuild = "build"

// observe tells of a part.
func (b *Builder) observe(p Part) {
	if b.Observe == nil {
		return
	}
	if p.Start.IsZero() || p.Start.After(p.End) { // unknown, or clocks were set
		p.Start = p.End
	}
	b.Observe(p)
}

// observeQueue tells that a run has waited for its slot since it was asked for.
func (b *Builder) observeQueue(req request, asked time.Time) {
	b.observe(Part{Run: req.id(), ID: "queue", Parent: partBuild, Kind: PartQueue, Name: "wait for a slot", Start: asked, End: b.Now()})
}

// observeEnd tells of a run that is over.
func (b *Builder) observeEnd(c conclusion, status model.ImageStatus) {
	req := request{Image: c.Image, Run: max(1, c.Run)} // journals of earlier versions have none
	b.observe(Part{
		Run: req.id(), ID: partBuild, Kind: PartBuild, Name: "build " + mustID(c.Image), Status: string(status), Reason: c.Failure.Reason,
		Start: c.Asked, End: b.Now(),
	})
}

// observeStep tells of an attempt at a step, which the record knows since begun.
func (w *work) observeStep(begun time.Time, e ended) {
	p := Part{
		Run: w.runID(), ID: w.part(), Parent: w.execution(), Kind: PartStep, Name: w.Step.Name, Action: w.Step.Action,
		Status: string(e.status), Start: begun, End: w.Now(),
	}
	switch e.status {
	case model.WorkflowStepExecutionStatusRunning: // there are attempts left
		p.Status, p.Reason = string(model.WorkflowStepExecutionStatusFailed), e.message
	case model.WorkflowStepExecutionStatusFailed:
		p.Reason = e.message
	case model.WorkflowStepExecutionStatusSkipped:
		p.Start = p.End
	}
	w.observe(p)
}

// part is the ID of the task's attempt as a Part.
func (t task) part() string { return fmt.Sprintf("%s %s", t.execution(), t.key()) }

func (t task) runID() string { return request{Image: t.Plan.Image, Run: max(1, t.Run)}.id() }

// asked is when a run was asked for: a retry changes the record of its image last.
func (r request) asked(record ingot.Record) time.Time {
	if r.Run == 1 {
		return record.Created
	}
	return record.Updated
}

// Load is what builds do at the moment.
type Load struct {
	Images map[model.ImageStatus]int // that are being made
	Queued int                       // builds that wait for a slot
	Held   int                       // slots that builds have
	Slots  int                       // that there are
}

// Load counts; it reads no records.
func (b *Builder) Load() Load {
	l := Load{Images: b.statuses.count(), Slots: b.Limits.Max}
	b.slots.mu.Lock()
	defer b.slots.mu.Unlock()
	l.Queued, l.Held = len(b.slots.waiting), len(b.slots.held)
	return l
}

// statuses are those of the images that are being made.
type statuses struct {
	mu sync.Mutex
	of map[string]model.ImageStatus // by ARN
}

// set notes the status that an image has now; one that is over is forgotten.
func (s *statuses) set(image string, status model.ImageStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isOver(string(status)) {
		delete(s.of, image)
		return
	}
	s.of[image] = status
}

func (s *statuses) forget(image string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, image)
}

func (s *statuses) count() map[model.ImageStatus]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[model.ImageStatus]int{}
	for status := range maps.Values(s.of) {
		n[status]++
	}
	return n
}

// queued waits for a run's turn, and returns when it was asked for.
func (b *Builder) queued(ctx context.Context, req request) (time.Time, error) {
	arn, err := ingot.ParseARN(req.Image)
	if err != nil {
		return time.Time{}, err
	}
	record, err := b.Records.Get(ctx, arn)
	if err != nil {
		return time.Time{}, err
	}
	b.statuses.set(req.Image, model.ImageStatus(record.Status))
	if err := b.slots.take(ctx, req.Image); err != nil {
		return time.Time{}, err
	}
	b.observeQueue(req, req.asked(record))
	return req.asked(record), nil
}
