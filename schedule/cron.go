package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cron is a parsed cron expression. Exactly one of the day fields counts.
type cron struct {
	minute, hour, month, year set
	day                       func(year int, month time.Month, day int) bool
}

// set holds the values of a field, by offset from its lowest.
type set struct {
	low     int
	members []bool
}

func (s set) has(v int) bool {
	return v >= s.low && v-s.low < len(s.members) && s.members[v-s.low]
}

// field is what a field of an expression may hold.
type field struct {
	name      string
	low, high int
	names     []string // of the values from low on
	wraps     bool     // FRI-MON is a range
}

var (
	minutes  = field{name: "minute", low: 0, high: 59}
	hours    = field{name: "hour", low: 0, high: 23}
	days     = field{name: "day-of-month", low: 1, high: 31}
	months   = field{name: "month", low: 1, high: 12, wraps: true, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	weekdays = field{name: "day-of-week", low: 1, high: 7, wraps: true, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	years    = field{name: "year", low: 1970, high: 2199}
)

func parseCron(s string) (*cron, error) {
	parts := strings.Fields(s)
	if len(parts) == 5 {
		parts = append(parts, "*") // a published example leaves the year out
	}
	if len(parts) != 6 {
		return nil, fmt.Errorf("a cron expression has 6 fields, not %d", len(parts))
	}
	var c cron
	var err error
	for _, f := range []struct {
		into *set
		field
		text string
	}{{&c.minute, minutes, parts[0]}, {&c.hour, hours, parts[1]}, {&c.month, months, parts[3]}, {&c.year, years, parts[5]}} {
		if *f.into, err = f.parse(f.text); err != nil {
			return nil, err
		}
	}
	c.day, err = parseDays(parts[2], parts[4])
	return &c, err
}

// parseDays reads the two day fields. One of them is '?', which says nothing;
// documented examples have '*' in its place. Source: api.md §5.2.
func parseDays(ofMonth, ofWeek string) (func(int, time.Month, int) bool, error) {
	if ofMonth != "?" && ofWeek != "?" {
		switch {
		case ofWeek == "*":
			ofWeek = "?"
		case ofMonth == "*":
			ofMonth = "?"
		}
	}
	switch {
	case ofWeek == "?" && ofMonth == "?":
		return nil, fmt.Errorf("day-of-month and day-of-week cannot both be '?'")
	case ofWeek == "?":
		return parseDayOfMonth(ofMonth)
	case ofMonth == "?":
		return parseDayOfWeek(ofWeek)
	}
	return nil, fmt.Errorf("one of day-of-month and day-of-week must be '?'")
}

func parseDayOfMonth(s string) (func(int, time.Month, int) bool, error) {
	s = strings.ToUpper(s)
	if s == "L" {
		return func(y int, m time.Month, d int) bool { return d == lastDay(y, m) }, nil
	}
	if number, ok := strings.CutSuffix(s, "W"); ok {
		day, err := days.value(number)
		if err != nil {
			return nil, fmt.Errorf("day-of-month: W follows a single day, as in 15W: %w", err)
		}
		return func(y int, m time.Month, d int) bool { return d == nearestWeekday(y, m, day) }, nil
	}
	in, err := days.parse(s)
	return func(_ int, _ time.Month, d int) bool { return in.has(d) }, err
}

func parseDayOfWeek(s string) (func(int, time.Month, int) bool, error) {
	s = strings.ToUpper(s)
	if s == "L" {
		s = "SUN" // the service's own guide reads it so
	}
	if name, ok := strings.CutSuffix(s, "L"); ok {
		day, err := weekdays.value(name)
		if err != nil {
			return nil, fmt.Errorf("day-of-week: L follows a single day, as in 6L: %w", err)
		}
		return func(y int, m time.Month, d int) bool { return weekday(y, m, d) == day && d+7 > lastDay(y, m) }, nil
	}
	if name, nth, ok := strings.Cut(s, "#"); ok {
		day, err := weekdays.value(name)
		if err != nil {
			return nil, err
		}
		if len(nth) != 1 || nth < "1" || nth > "5" {
			return nil, fmt.Errorf("day-of-week: the number after # is 1 to 5, not %.20q", nth)
		}
		k := int(nth[0] - '0')
		return func(y int, m time.Month, d int) bool { return weekday(y, m, d) == day && (d+6)/7 == k }, nil
	}
	in, err := weekdays.parse(s)
	return func(y int, m time.Month, d int) bool { return in.has(weekday(y, m, d)) }, err
}

// weekday counts from 1, Sunday.
func weekday(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Weekday()) + 1
}

func lastDay(y int, m time.Month) int {
	return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// nearestWeekday is the day from Monday to Friday of the month that is nearest
// to the given day; 0 in a month that has no such day.
func nearestWeekday(y int, m time.Month, day int) int {
	last := lastDay(y, m)
	if day > last {
		return 0
	}
	switch weekday(y, m, day) {
	case 7: // Saturday
		if day == 1 {
			return day + 2
		}
		return day - 1
	case 1: // Sunday
		if day == last {
			return day - 2
		}
		return day + 1
	}
	return day
}

// parse reads lists, ranges and steps: 1,5-9,*/15.
func (f field) parse(s string) (set, error) {
	out := set{f.low, make([]bool, f.high-f.low+1)}
	for _, part := range strings.Split(strings.ToUpper(s), ",") {
		if err := f.add(&out, part); err != nil {
			return set{}, err
		}
	}
	return out, nil
}

// add puts one part of a list into a set.
func (f field) add(out *set, part string) error {
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		n, err := strconv.ParseUint(stepText, 10, 16)
		if err != nil || n < 1 {
			return fmt.Errorf("%s: the step after / is a number from 1 on, not %.20q", f.name, stepText)
		}
		step = int(n)
	}
	from, to, err := f.span(span, stepped)
	if err != nil {
		return err
	}
	for v := from; v <= to; v += step {
		out.members[(v-f.low)%len(out.members)] = true
	}
	return nil
}

// span reads *, a value or a range; a value with a step runs to the end. A
// range that wraps ends after high.
func (f field) span(s string, stepped bool) (from, to int, err error) {
	if s == "*" {
		return f.low, f.high, nil
	}
	first, last, isRange := strings.Cut(s, "-")
	if from, err = f.value(first); err != nil {
		return 0, 0, err
	}
	if !isRange {
		if stepped {
			return from, f.high, nil
		}
		return from, from, nil
	}
	if to, err = f.value(last); err != nil {
		return 0, 0, err
	}
	if from > to {
		if !f.wraps {
			return 0, 0, fmt.Errorf("%s: the range %.20q descends", f.name, s)
		}
		to += f.high - f.low + 1
	}
	return from, to, nil
}

func (f field) value(s string) (int, error) {
	for i, name := range f.names {
		if s == name {
			return f.low + i, nil
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || int(n) < f.low || int(n) > f.high {
		return 0, fmt.Errorf("%s: %.20q is not a value from %d to %d", f.name, s, f.low, f.high)
	}
	return int(n), nil
}
