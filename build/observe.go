package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
)

// PartKind is what a Part is one of.
type PartKind string

const (
	PartBuild    PartKind = "build"    // a whole run, from its request to its end
	PartQueue    PartKind = "queue"    // the wait for a slot
	PartStage    PartKind = "stage"    // from the first to the last of its workflows
	PartWorkflow PartKind = "workflow" // with all attempts at it
	PartStep     PartKind = "step"     // an attempt at a step
	PartLaunch   PartKind = "launch"   // of an instance, until its shim holds it
	PartBoot     PartKind = "boot"     // from there until its guest is ready
	PartPhase    PartKind = "phase"    // of a component
	PartSnapshot PartKind = "snapshot" // of an instance's disk, the power-off included
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

// observeEnd tells of a run that is over, and of what only its end shows: the
// records know when workflows and stages began, whichever server it was.
func (b *Builder) observeEnd(ctx context.Context, arn ingot.ARN, c conclusion, status model.ImageStatus) {
	if b.Observe == nil {
		return
	}
	req := request{Image: c.Image, Run: max(1, c.Run)} // journals of earlier versions have none
	if err := b.observeWorkflows(ctx, arn, req, c.Asked); err != nil {
		b.Log.Warn("the workflows of a build are missing in its trace", "image", c.Image, "error", err)
	}
	b.observe(Part{
		Run: req.id(), ID: partBuild, Kind: PartBuild, Name: "build " + mustID(c.Image), Status: string(status), Reason: c.Failure.Reason,
		Start: c.Asked, End: b.Now(),
	})
}

// observeWorkflows tells of the workflows of a run and of its stages.
func (b *Builder) observeWorkflows(ctx context.Context, arn ingot.ARN, req request, asked time.Time) error {
	list, err := executions(ctx, b.Records, arn)
	if err != nil {
		return err
	}
	stages := map[model.ImageStatus]Part{}
	for _, e := range list {
		p := workflowPart(req, e)
		if p.Start.Before(asked.Truncate(time.Millisecond)) || asked.IsZero() {
			continue // of a run before
		}
		b.observe(p)
		stage := stageOf[e.Type]
		s, known := stages[stage]
		if !known {
			s = stagePart(req, stage, p.Start)
		}
		if p.Start.Before(s.Start) {
			s.Start = p.Start
		}
		if p.End.After(s.End) {
			s.End = p.End
		}
		stages[stage] = s
	}
	for s := range maps.Values(stages) {
		b.observe(s)
	}
	return nil
}

func stageID(stage model.ImageStatus) string { return "stage " + string(stage) }

func stagePart(req request, stage model.ImageStatus, begun time.Time) Part {
	return Part{Run: req.id(), ID: stageID(stage), Parent: partBuild, Kind: PartStage, Name: string(stage), Start: begun}
}

// observeDistribution tells of a distribution without a workflow.
func (w *work) observeDistribution(begun time.Time, err error) {
	p := stagePart(request{Image: w.Plan.Image, Run: max(1, w.Run)}, model.ImageStatusDistributing, begun)
	p.End = w.Now()
	if err != nil {
		p.Reason = err.Error()
	}
	w.observe(p)
}

func workflowPart(req request, e ingot.WorkflowExecution) Part {
	p := Part{
		Run: req.id(), ID: e.WorkflowExecutionId, Parent: stageID(stageOf[e.Type]), Kind: PartWorkflow,
		Name: workflowName(e.WorkflowBuildVersionArn), Status: string(e.Status), Start: parseTime(e.StartTime), End: parseTime(e.EndTime),
	}
	if e.Status != model.WorkflowExecutionStatusCompleted {
		p.Reason = string(e.Status)
		if e.Message != "" {
			p.Reason = e.Message
		}
	}
	return p
}

// workflowName is the name in the ARN of a workflow.
func workflowName(text string) string {
	arn, err := ingot.ParseARN(text)
	if err != nil {
		return text
	}
	return arn.Name
}

// parseTime is the inverse of timestamp.
func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// timed does a part of a step that takes a while, and tells of it. One that a
// restart cuts off is told of when it has been done again.
func (w *work) timed(ctx context.Context, kind PartKind, name string, do func() error) error {
	begun := w.Now()
	err := do()
	if err == nil || !isInterrupted(ctx) {
		w.observePart(kind, name, begun, w.Now(), err)
	}
	return err
}

// isInterrupted reports whether the end of the server has ended what ctx is of.
func isInterrupted(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), flow.ErrInterrupted)
}

// observePart tells of a part of the step in progress.
func (w *work) observePart(kind PartKind, name string, begun, end time.Time, err error) {
	p := Part{
		Run: w.runID(), ID: fmt.Sprintf("%s %s %d", w.part(), kind, begun.UnixNano()), Parent: w.part(), Kind: kind, Name: name,
		Start: begun, End: end,
	}
	if err != nil {
		p.Reason = err.Error()
	}
	w.observe(p)
}

// phaseClock finds the phases of components in the lines of a run.
type phaseClock struct {
	first Line      // of the phase in progress; Component is empty: there is none
	last  time.Time // of its lines
}

// tick takes the next line. It returns the first line of a phase that this one
// ends; its Component is empty when it ends none.
func (c *phaseClock) tick(l Line) (over Line) {
	if l.Component == "" || l.Phase == "" {
		return Line{}
	}
	if l.Component != c.first.Component || l.Phase != c.first.Phase {
		over, c.first = c.first, l
	}
	c.last = l.Time
	return over
}

// observePhase tells of a phase, by its first line.
func (w *work) observePhase(first Line, end time.Time, err error) {
	if first.Component != "" {
		w.observePart(PartPhase, first.Component+" "+first.Phase, first.Time, end, err)
	}
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
