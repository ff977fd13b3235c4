// Package schedule runs pipelines by themselves. Schedule is a parsed expression
// and knows time and nothing else; Scheduler waits for the next pipeline that
// is due, and starts its build or says why not.
//
//	cron(minute hour day-of-month month day-of-week [year])
//	rate(1 minute), rate(12 hours), rate(7 days)
//
// A cron expression is matched in a time zone. In a daylight-saving gap it is
// due at the first instant after the gap, in an overlap at the first of the
// two. Source: api.md §5.2 to §5.4.
package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a host without time zones must not change when builds start
)

// Schedule is a parsed expression.
type Schedule struct {
	cron *cron         // nil for a rate
	rate time.Duration // of a rate
}

// maxLength bounds an expression. Source: api.md §5.1.
const maxLength = 1024

// Parse reads an expression. Errors say which field breaks which rule.
func Parse(expression string) (Schedule, error) {
	if len(expression) > maxLength {
		return Schedule{}, fmt.Errorf("an expression has at most %d characters", maxLength)
	}
	if inner, ok := unwrap(expression, "cron("); ok {
		c, err := parseCron(inner)
		return Schedule{cron: c}, err
	}
	if inner, ok := unwrap(expression, "rate("); ok {
		d, err := parseRate(inner)
		return Schedule{rate: d}, err
	}
	return Schedule{}, fmt.Errorf("an expression is cron(…) or rate(…)")
}

func unwrap(s, prefix string) (inner string, ok bool) {
	inner, ok = strings.CutPrefix(s, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, ")")
}

var units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// maxRate keeps a period below what a time.Duration holds.
const maxRate = 100 * 365 * 24 * time.Hour

func parseRate(s string) (time.Duration, error) {
	number, unit, _ := strings.Cut(s, " ")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 || number[0] < '1' || number[0] > '9' {
		return 0, fmt.Errorf("a rate is a positive number and a unit, as in rate(12 hours)")
	}
	name, plural := strings.CutSuffix(unit, "s")
	period, known := units[name]
	if !known || plural != (n != 1) {
		return 0, fmt.Errorf("the unit of a rate is minute, hour or day for 1, and minutes, hours or days for more")
	}
	if n > int64(maxRate/period) {
		return 0, fmt.Errorf("the period of a rate is at most 36500 days")
	}
	return time.Duration(n) * period, nil
}

// Next is the first time after the given one at which the schedule is due, in
// UTC; ok is false if it never is again. A rate counts from since, when the
// schedule was set; a cron expression is matched in zone.
func (s Schedule) Next(after, since time.Time, zone *time.Location) (next time.Time, ok bool) {
	if s.cron != nil {
		return s.cron.next(after, zone)
	}
	periods := int64(0)
	if after.After(since) {
		periods = int64(after.Sub(since) / s.rate)
	}
	return since.Add(time.Duration(periods+1) * s.rate).UTC(), true
}

// Zone returns the IANA time zone of that name; empty is UTC.
func Zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf("unknown time zone Local") // the host's, which the expression must not depend on
	}
	return time.LoadLocation(name)
}
