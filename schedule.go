package ingot

import (
	"context"
	"time"

	"ingot.dev/ingot/model"
)

// Due is when the schedule of an enabled pipeline asks for its next run.
type Due struct {
	Pipeline ARN
	At       time.Time // nominal; zero: to be worked out from the schedule, counted from the record's Updated
}

// TickOutcome says what became of a tick.
type TickOutcome string

// The outcomes of a tick.
const (
	TickStarted TickOutcome = "started"
	TickSkipped TickOutcome = "skipped"
	TickFailed  TickOutcome = "failed" // the run could not be started: there is no image
	TickMissed  TickOutcome = "missed" // the server was down, for too long to make up for it
)

// Tick is one instant of a pipeline's schedule and what became of it.
// Source: api.md §5.4.
type Tick struct {
	At      time.Time   `json:"at"`   // nominal
	Time    time.Time   `json:"time"` // when it was looked at
	Outcome TickOutcome `json:"outcome"`
	Reason  string      `json:"reason"`          // for people
	Image   string      `json:"image,omitempty"` // ARN of the image that was started
}

// KeptTicks is how many ticks of a pipeline are remembered.
const KeptTicks = 100

// ScheduleReader reads when pipelines run by themselves, and what they did.
type ScheduleReader interface {
	// Dues lists what is due next, earliest first.
	Dues(ctx context.Context, limit int) ([]Due, error)
	// Due is CodeNotFound for a pipeline that does not run by itself.
	Due(ctx context.Context, pipeline ARN) (Due, error)
	// Ticks lists the last ticks of a pipeline, newest first.
	Ticks(ctx context.Context, pipeline ARN, limit int) ([]Tick, error)
	// LogLines lists the lines that are still to be written, in their order.
	LogLines(ctx context.Context, limit int) ([]LogLine, error)
}

// ScheduleWriter changes when pipelines run. What it keeps goes with the
// record of the pipeline unless it says otherwise.
type ScheduleWriter interface {
	PutDue(ctx context.Context, d Due) error
	// DeleteDue is no error for a pipeline that is not due.
	DeleteDue(ctx context.Context, pipeline ARN) error
	// PutTick forgets all but the last KeptTicks of the pipeline.
	PutTick(ctx context.Context, pipeline ARN, t Tick) error
	// PutLogLine keeps a line until it is written. It outlives the pipeline.
	PutLogLine(ctx context.Context, stream LogStream, text string) error
	// DeleteLogLines forgets the lines up to one, which have been written.
	DeleteLogLines(ctx context.Context, last int64) error
}

// RunsByItself reports whether the schedule of a pipeline has an effect.
// Source: api.md §4.6.
func RunsByItself(p *model.ImagePipeline) bool {
	return p.Schedule != nil && p.Status == model.PipelineStatusEnabled
}

// setDue follows a change of a pipeline's schedule or status.
func setDue(ctx context.Context, tx ScheduleWriter, arn ARN, p *model.ImagePipeline) error {
	if RunsByItself(p) {
		return tx.PutDue(ctx, Due{Pipeline: arn})
	}
	return tx.DeleteDue(ctx, arn)
}
