package schedule

import "time"

// next walks days, not minutes: at most one round of the years.
func (c *cron) next(after time.Time, zone *time.Location) (time.Time, bool) {
	local := after.In(zone)
	// The day before, too: what a gap at midnight moved is due on the next day.
	day := time.Date(local.Year(), local.Month(), local.Day()-1, 0, 0, 0, 0, time.UTC)
	for day.Year() <= years.high {
		y, m, d := day.Date()
		switch {
		case !c.year.has(y):
			day = time.Date(y+1, 1, 1, 0, 0, 0, 0, time.UTC)
			if y < years.low {
				day = time.Date(years.low, 1, 1, 0, 0, 0, 0, time.UTC)
			}
			continue
		case !c.month.has(int(m)):
			day = time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		case c.day(y, m, d):
			if due, ok := c.nextOn(y, m, d, after, zone); ok {
				return due, true
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// nextOn is the first due time after the given one among those of a day.
func (c *cron) nextOn(y int, m time.Month, d int, after time.Time, zone *time.Location) (time.Time, bool) {
	for h := range 24 {
		if !c.hour.has(h) {
			continue
		}
		for minute := range 60 {
			if !c.minute.has(minute) {
				continue
			}
			if due := instant(y, m, d, h, minute, zone); due.After(after) {
				return due, true
			}
		}
	}
	return time.Time{}, false
}

// instant is the first moment at which clocks in the zone show the given time
// or, when they skip it, the moment at which they skip.
func instant(y int, m time.Month, d, h, minute int, zone *time.Location) time.Time {
	wall := time.Date(y, m, d, h, minute, 0, 0, time.UTC)
	guess := time.Date(y, m, d, h, minute, 0, 0, zone)
	// A zone's transitions are weeks apart and skip a day at most, so the offsets
	// on either side are those that may apply; the larger one gives the earlier
	// instant.
	_, before := guess.Add(-aside).Zone()
	_, after := guess.Add(aside).Zone()
	for _, offset := range []int{max(before, after), min(before, after)} {
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, is := t.In(zone).Zone(); is == offset {
			return t
		}
	}
	_, gap := guess.Add(-aside).ZoneBounds()
	return gap.UTC()
}

// aside is more than a transition moves clocks by: Samoa skipped 30 December
// 2011.
const aside = 36 * time.Hour
