package schedule

import (
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Timetable is when a pipeline runs: an expression in its time zone.
type Timetable struct {
	expression Schedule
	zone       *time.Location
	since      time.Time // a rate counts from here: when the pipeline was last written
}

// NewTimetable reads the schedule of a pipeline that was last written at since.
func NewTimetable(s *model.Schedule, since time.Time) (Timetable, error) {
	expression, err := Parse(s.ScheduleExpression)
	if err != nil {
		return Timetable{}, err
	}
	zone, err := Zone(s.Timezone)
	return Timetable{expression, zone, since}, err
}

// Next is the first tick after a time; ok is false when there is none.
func (t Timetable) Next(after time.Time) (next time.Time, ok bool) {
	return t.expression.Next(after, t.since, t.zone)
}

// NextRun is when a stored pipeline runs by itself after a time; ok is false
// when it does not. Source: api.md §5.6.
func NextRun(record ingot.Record, p *model.ImagePipeline, after time.Time) (next time.Time, ok bool, err error) {
	if !ingot.RunsByItself(p) {
		return time.Time{}, false, nil
	}
	t, err := NewTimetable(p.Schedule, record.Updated)
	if err != nil {
		return time.Time{}, false, err
	}
	next, ok = t.Next(after)
	return next, ok, nil
}

// maxLate is how old a tick that was missed may be to be made up for.
// Source: api.md §5.4.
const maxLate = time.Hour

// latest is the last of the ticks from first to now, which is the one to act
// on; ok is false when it is too old for that, and then it is first.
func (t Timetable) latest(first, now time.Time) (at time.Time, ok bool) {
	at = first
	if oldest := now.Add(-maxLate); !at.After(oldest) {
		if at, ok = t.Next(oldest); !ok || at.After(now) {
			return first, false
		}
	}
	for {
		next, ok := t.Next(at)
		if !ok || next.After(now) {
			return at, true
		}
		at = next
	}
}
