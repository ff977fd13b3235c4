package schedule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ingot.dev/ingot/schedule"
)

// matcher says whether clocks that show a time match a field.
type matcher func(wall time.Time) bool

// values draws a field without letters of its own: *, lists, ranges, steps.
// The members are found here by counting, in another way than the parser's.
func values(rt *rapid.T, label string, low, high int, names []string, wraps bool) (text string, has func(int) bool) {
	members := map[int]bool{}
	var parts []string
	spell := func(v int) string {
		if names != nil && rapid.Bool().Draw(rt, label+" by name") {
			return names[v-low]
		}
		return fmt.Sprint(v)
	}
	one := func(name string) int { return rapid.IntRange(low, high).Draw(rt, label+" "+name) }
	for range rapid.IntRange(1, 3).Draw(rt, label+" parts") {
		from, to, part := low, high, "*"
		shape := rapid.IntRange(0, 2).Draw(rt, label+" shape")
		stepped := rapid.Bool().Draw(rt, label+" stepped")
		switch shape {
		case 1:
			from = one("value")
			if part = spell(from); !stepped {
				to = from
			}
		case 2:
			from, to = one("from"), one("to")
			if from > to && !wraps {
				from, to = to, from
			}
			part = spell(from) + "-" + spell(to)
		}
		step := 1
		if stepped {
			step = rapid.IntRange(1, high+5).Draw(rt, label+" step")
			part += fmt.Sprintf("/%d", step)
		}
		for n, v := 0, from; ; n++ {
			if n%step == 0 {
				members[v] = true
			}
			if v == to {
				break
			}
			if v++; v > high {
				v = low
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ","), func(v int) bool { return members[v] }
}

func daysIn(t time.Time) int { return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

func dayOfMonth(rt *rapid.T) (string, matcher) {
	switch rapid.IntRange(0, 2).Draw(rt, "kind of day") {
	case 0:
		return "L", func(wall time.Time) bool { return wall.Day() == daysIn(wall) }
	case 1:
		day := rapid.IntRange(1, 31).Draw(rt, "W of")
		return fmt.Sprintf("%dW", day), func(wall time.Time) bool {
			if day > daysIn(wall) {
				return false
			}
			for _, distance := range []int{0, -1, 1, -2, 2} { // the nearest first
				at := time.Date(wall.Year(), wall.Month(), day+distance, 0, 0, 0, 0, time.UTC)
				if at.Month() == wall.Month() && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
					return at.Day() == wall.Day()
				}
			}
			return false
		}
	}
	text, has := values(rt, "day", 1, 31, nil, false)
	return text, func(wall time.Time) bool { return has(wall.Day()) }
}

var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

func dayOfWeek(rt *rapid.T) (string, matcher) {
	kind := rapid.IntRange(0, 3).Draw(rt, "kind of weekday")
	if kind == 0 {
		return "L", func(wall time.Time) bool { return wall.Weekday() == time.Sunday }
	}
	day := rapid.IntRange(0, 6).Draw(rt, "weekday")
	name := rapid.SampledFrom([]string{weekdays[day], strings.ToLower(weekdays[day]), fmt.Sprint(day + 1)}).Draw(rt, "its name")
	switch kind {
	case 1: // a week later is another month
		return name + "L", func(wall time.Time) bool {
			return int(wall.Weekday()) == day && wall.AddDate(0, 0, 7).Month() != wall.Month()
		}
	case 2: // as many of it are before in the month
		k := rapid.IntRange(1, 5).Draw(rt, "#")
		return fmt.Sprintf("%s#%d", name, k), func(wall time.Time) bool {
			before := 0
			for d := wall; d.Month() == wall.Month(); d = d.AddDate(0, 0, -7) {
				before++
			}
			return int(wall.Weekday()) == day && before == k
		}
	}
	text, has := values(rt, "weekday", 1, 7, weekdays, true)
	return text, func(wall time.Time) bool { return has(int(wall.Weekday()) + 1) }
}

var months = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}

// expression draws a cron expression and what matches it.
func expression(rt *rapid.T) (string, matcher) {
	minute, hasMinute := values(rt, "minute", 0, 59, nil, false)
	hour, hasHour := values(rt, "hour", 0, 23, nil, false)
	month, hasMonth := values(rt, "month", 1, 12, months, true)
	year, hasYear := " *", func(int) bool { return true }
	switch rapid.IntRange(0, 3).Draw(rt, "year") {
	case 0:
		year = "" // five fields
	case 1:
		year, hasYear = " 2020-2027/3", func(y int) bool { return slices.Contains([]int{2020, 2023, 2026}, y) }
	}
	other := rapid.SampledFrom([]string{"?", "*"}).Draw(rt, "other day field")
	ofMonth, ofWeek := other, other
	var matchesDay matcher
	if rapid.Bool().Draw(rt, "by month") {
		ofMonth, matchesDay = dayOfMonth(rt)
	} else if ofWeek, matchesDay = dayOfWeek(rt); ofWeek == "*" {
		matchesDay = func(time.Time) bool { return true }
	}
	return fmt.Sprintf("cron(%s %s %s %s %s%s)", minute, hour, ofMonth, month, ofWeek, year), func(wall time.Time) bool {
		return hasMinute(wall.Minute()) && hasHour(wall.Hour()) && hasMonth(int(wall.Month())) && hasYear(wall.Year()) && matchesDay(wall)
	}
}

// horizon is how far the walk looks; beyond, Next must not be earlier.
const horizon = 40 * 24 * time.Hour

// TestNextIsTheFirst compares Next with a walk over every minute.
func TestNextIsTheFirst(t *testing.T) {
	var zones []*time.Location
	for _, name := range []string{"", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Casablanca", "America/Santiago", "Pacific/Apia"} {
		zones = append(zones, zone(t, name))
	}
	rapid.Check(t, func(rt *rapid.T) {
		text, matches := expression(rt)
		z := rapid.SampledFrom(zones).Draw(rt, "zone")
		after := time.Unix(rapid.Int64Range(1_300_000_000, 1_830_000_000).Draw(rt, "after"), 0) // 2011 to 2027
		if rapid.Bool().Draw(rt, "near a transition") {
			if _, end := after.In(z).ZoneBounds(); !end.IsZero() {
				after = end.Add(time.Duration(rapid.IntRange(-300, 300).Draw(rt, "minutes from it")) * time.Minute)
			}
		}
		s, err := schedule.Parse(text)
		if err != nil {
			rt.Fatal(err)
		}
		got, ok := s.Next(after, time.Time{}, z)
		want, found := walk(after, z, matches)
		switch {
		case found && (!ok || !got.Equal(want)):
			rt.Errorf("%s in %s after %s is due %s, %t; want %s", text, z, after.In(z), got.In(z), ok, want.In(z))
		case !found && ok && got.Before(after.Add(horizon-time.Hour)):
			rt.Errorf("%s in %s after %s is due %s, which no clock shows", text, z, after.In(z), got.In(z))
		}
	})
}

// walk looks at every minute until one shows a time that matches for the first
// time, or is the first after a gap that swallowed one.
func walk(after time.Time, z *time.Location, matches matcher) (time.Time, bool) {
	wall := func(t time.Time) time.Time { // what clocks show, as if in UTC
		_, offset := t.In(z).Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	start := after.Truncate(time.Minute).Add(-3 * time.Hour) // sees first occurrences in overlaps
	shown := wall(start)
	for t := start.Add(time.Minute); t.Sub(after) < horizon; t = t.Add(time.Minute) {
		for now := wall(t); shown.Before(now); {
			shown = shown.Add(time.Minute) // more than one step in a gap, none in an overlap
			if t.After(after) && matches(shown) {
				return t, true
			}
		}
	}
	return time.Time{}, false
}
