package schedule_test

import (
	"testing"
	"time"

	"ingot.dev/ingot/schedule"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := schedule.Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNext(t *testing.T) {
	for _, test := range []struct{ expression, zone, after, want string }{
		{"cron(0 10 * * ? *)", "Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-02T08:00:00Z"},
		{"cron(0 10 * * ? *)", "Europe/Berlin", "2026-07-02T08:00:00Z", "2026-07-03T08:00:00Z"},
		{"cron(0 0 * * SUN *)", "", "2026-07-01T00:00:00Z", "2026-07-05T00:00:00Z"},
		{"cron(30 22 ? * tue#2 *)", "", "2026-07-01T00:00:00Z", "2026-07-14T22:30:00Z"},
		{"cron(0 0 ? * MON#5 *)", "", "2026-07-01T00:00:00Z", "2026-08-31T00:00:00Z"},
		{"cron(0 0 L * ? *)", "", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"cron(0 8 3W * ? *)", "", "2026-05-01T00:00:00Z", "2026-05-04T08:00:00Z"},  // the 3rd is a Sunday
		{"cron(0 8 1W * ? *)", "", "2026-08-01T00:00:00Z", "2026-08-03T08:00:00Z"},  // the 1st is a Saturday
		{"cron(0 8 31W * ? *)", "", "2026-05-01T00:00:00Z", "2026-05-29T08:00:00Z"}, // the 31st is a Sunday
		{"cron(0 8 31W * ? *)", "", "2026-06-01T00:00:00Z", "2026-07-31T08:00:00Z"}, // June has no 31st
		{"cron(0 0 ? * L *)", "", "2026-07-01T00:00:00Z", "2026-07-05T00:00:00Z"},
		{"cron(0 0 ? * 6L *)", "", "2026-07-01T00:00:00Z", "2026-07-31T00:00:00Z"},
		{"cron(0 0 ? * FRI-MON *)", "", "2026-07-01T00:00:00Z", "2026-07-03T00:00:00Z"},
		{"cron(0 0 1 NOV-FEB ? *)", "", "2026-03-01T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"cron(5/20 9-10 ? * MON-FRI *)", "", "2026-07-01T09:46:00Z", "2026-07-01T10:05:00Z"},
		{"cron(0 12 29 2 ? *)", "", "2026-01-01T00:00:00Z", "2028-02-29T12:00:00Z"},
		{"cron(0 0 1 1 ? 2030-2040/5)", "", "2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"},
		{"cron(15 10 * * *)", "", "2026-01-01T00:00:00Z", "2026-01-01T10:15:00Z"}, // no year
		{"cron(0 0 30 2 ? *)", "", "2026-01-01T00:00:00Z", ""},
		{"cron(0 0 1 1 ? 1999)", "", "2026-01-01T00:00:00Z", ""},
		{"cron(0 0 1 1 ? *)", "", "1066-10-14T00:00:00Z", "1970-01-01T00:00:00Z"},

		// Clocks went from 2:00 to 3:00 on 29 March 2026 and from 3:00 back to
		// 2:00 on 25 October.
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"cron(*/15 2 * * ? *)", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		// Clocks of Samoa skipped 30 December 2011.
		{"cron(0 23 30 12 ? 2011)", "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-30T10:00:00Z"},
		{"cron(0/90 10 * * ? *)", "", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00Z"}, // no second step in the hour
		// Midnight was skipped in Beirut on 29 March 2026.
		{"cron(0 0 * * ? *)", "Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-28T22:00:00Z"},
	} {
		s, err := schedule.Parse(test.expression)
		if err != nil {
			t.Errorf("Parse(%s): %v", test.expression, err)
			continue
		}
		got, ok := s.Next(instant(t, test.after), time.Time{}, zone(t, test.zone))
		if ok != (test.want != "") || ok && got.Format(time.RFC3339) != test.want {
			t.Errorf("%s in %q after %s is due %s, %t; want %s", test.expression, test.zone, test.after, got.Format(time.RFC3339), ok, test.want)
		}
	}
}

func TestRate(t *testing.T) {
	since := instant(t, "2026-07-01T00:00:00Z")
	for _, test := range []struct{ expression, after, want string }{
		{"rate(1 day)", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"},
		{"rate(1 day)", "2026-07-03T12:00:00Z", "2026-07-04T00:00:00Z"},
		{"rate(12 hours)", "2026-07-01T12:00:00Z", "2026-07-02T00:00:00Z"},
		{"rate(5 minutes)", "2026-06-30T00:00:00Z", "2026-07-01T00:05:00Z"},
	} {
		s, err := schedule.Parse(test.expression)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.Next(instant(t, test.after), since, zone(t, "Asia/Tokyo"))
		if !ok || got.Format(time.RFC3339) != test.want {
			t.Errorf("%s after %s is due %s, %t; want %s", test.expression, test.after, got, ok, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, expression := range []string{
		"rate(1 days)", "rate(5 hour)", "rate(0 minutes)", "rate(-1 days)", "rate(+1 day)", "rate(1 week)", "rate(1)", "rate()", "rate(01 days)",
		"rate(99999999 days)", "cron(0 10 1 * MON *)", "cron(0 10 ? * ? *)", "0 10 * * ? *", "at(2026-01-01T00:00:00)", "", "cron(", "cron()",
		"cron(0 0 0 10 * ? *)", "cron(0 10 * *)", "cron(60 10 * * ? *)", "cron(0 24 * * ? *)", "cron(0 0 32 * ? *)", "cron(0 0 1 13 ? *)",
		"cron(0 0 ? * 8 *)", "cron(0 0 ? * MON#6 *)", "cron(0 0 ? * MON#0 *)", "cron(0 0 ? * #1 *)", "cron(0 0 W * ? *)", "cron(0 0 LW * ? *)",
		"cron(0 0 1,L * ? *)", "cron(0 0 1-5W * ? *)", "cron(0 0 ? * MON-FRIL *)", "cron(*/0 0 * * ? *)", "cron(*/ 0 * * ? *)", "cron(*/+5 0 * * ? *)", "cron(1/2/3 0 * * ? *)", "cron(0 0 ? * L-3 *)", "cron(0 0 ? * 1,2L *)", "cron(0 0 3#2 * ? *)", "cron(0 0 1-3W * ? *)", "rate(1  day)", "rate( 1 day)", "rate(1 Day)", "cron(9-5 0 * * ? *)",
		"cron(0 0 20-10 * ? *)", "cron(0 0 1 1 ? 1969)", "cron(0 0 1 1 ? 2200)", "cron(? 0 * * ? *)", "cron(0, 0 * * ? *)", "cron(0 0 * FOO ? *)",
		"CRON(0 10 * * ? *)", " cron(0 10 * * ? *)", "cron(0 10 * * ? *) ",
	} {
		if _, err := schedule.Parse(expression); err == nil {
			t.Errorf("Parse(%q) succeeds", expression)
		}
	}
}

func TestZoneRefuses(t *testing.T) {
	for _, name := range []string{"Local", "Mars/Olympus", "../etc/passwd"} {
		if z, err := schedule.Zone(name); err == nil {
			t.Errorf("Zone(%q) = %v", name, z)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"cron(0 10 * * ? *)", "cron(0 0 ? * FRI-MON/2 2030)", "cron(*/5 1-2,7 L JAN,MAR-APR ? *)", "cron(0 8 3W * ? *)",
		"cron(30 22 ? * tue#2 *)", "cron(0 0 ? * 6L *)", "rate(7 days)", "rate(1 minute)", "cron(1 2 3 4 5)",
	} {
		f.Add(seed)
	}
	after := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expression string) {
		s, err := schedule.Parse(expression)
		if err != nil {
			return
		}
		if next, ok := s.Next(after, after, time.UTC); ok && !next.After(after) {
			t.Errorf("%q after %s is due %s", expression, after, next)
		}
	})
}

func BenchmarkNextNever(b *testing.B) { // the longest search: every day until 2199
	s, err := schedule.Parse("cron(0 0 30 2 ? *)")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if next, ok := s.Next(time.Unix(0, 0), time.Time{}, time.UTC); ok {
			b.Fatal(next)
		}
	}
}
