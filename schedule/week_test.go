package schedule_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// every is a schedule that does not ask whether anything changed.
func every(expression, zone string) *model.Schedule {
	return &model.Schedule{
		ScheduleExpression: expression, Timezone: zone,
		PipelineExecutionStartCondition: model.PipelineExecutionStartConditionExpressionMatchOnly,
	}
}

// TestWeek runs a week of schedules, in which the clocks of Berlin go from 2:00
// to 3:00 on Sunday, with the server down on some nights.
func TestWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := func(text string) {
			t.Helper()
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(at))
			synctest.Wait()
		}
		until("2000-03-20T00:30:00Z") // a Monday; the clock of a bubble begins in 2000
		f := newFactory(t, time.Now)
		defer f.close()
		f.start()
		f.pipeline("daily", every("cron(0 10 * * ? *)", "Europe/Berlin"))
		f.pipeline("gap", every("cron(30 2 ? * SUN *)", "Europe/Berlin"))
		f.pipeline("halfday", every("rate(12 hours)", "Asia/Tokyo"))
		f.pipeline("nightly", every("cron(15 3 ? * MON-FRI *)", ""))
		f.pipeline("quarter", every("cron(0/15 22 ? * WED#4 *)", "America/New_York"))
		f.pipeline("quiet", &model.Schedule{ScheduleExpression: "cron(0 12 * * ? *)"}) // if something changed

		until("2000-03-21T03:00:00Z")
		f.close() // over the nightly of Tuesday, which is made up for
		f.open()
		until("2000-03-21T04:14:00Z")
		f.start()

		until("2000-03-22T03:00:00Z")
		f.close() // over the nightly of Wednesday, for too long
		f.open()
		until("2000-03-22T05:00:00Z")
		f.start()

		until("2000-03-22T17:00:00Z")
		f.put("component/hello/1.0.1/1", "ACTIVE", model.Component{Name: "hello", Platform: model.PlatformLinux})
		until("2000-03-24T00:00:00Z")
		f.replace("halfday", every("rate(12 hours)", ""), func(p *model.ImagePipeline) { p.Status = model.PipelineStatusDisabled })
		until("2000-03-25T06:00:00Z")
		f.replace("halfday", every("rate(12 hours)", ""))
		until("2000-03-27T00:30:00Z")
		f.stop()

		want := strings.Split(strings.TrimSpace(`
nightly Mon 20 03:15:00
daily Mon 20 09:00:00
quiet Mon 20 12:00:00
halfday Mon 20 12:30:00
halfday Tue 21 00:30:00
nightly Tue 21 04:14:00
daily Tue 21 09:00:00
halfday Tue 21 12:30:00
halfday Wed 22 00:30:00
daily Wed 22 09:00:00
halfday Wed 22 12:30:00
halfday Thu 23 00:30:00
quarter Thu 23 03:00:00
nightly Thu 23 03:15:00
quarter Thu 23 03:15:00
quarter Thu 23 03:30:00
quarter Thu 23 03:45:00
daily Thu 23 09:00:00
quiet Thu 23 12:00:00
halfday Thu 23 12:30:00
nightly Fri 24 03:15:00
daily Fri 24 09:00:00
daily Sat 25 09:00:00
halfday Sat 25 18:00:00
gap Sun 26 01:00:00
halfday Sun 26 06:00:00
daily Sun 26 08:00:00
halfday Sun 26 18:00:00
`), "\n")
		if diff := cmp.Diff(want, f.builder.begun); diff != "" {
			t.Errorf("builds (-want +got):\n%s", diff)
		}
		var missed []string
		for _, tick := range f.ticks(arn(t, "image-pipeline/nightly")) {
			if tick.Outcome == ingot.TickMissed {
				missed = append(missed, tick.At.Format(time.RFC3339))
			}
		}
		if diff := cmp.Diff([]string{"2000-03-22T03:15:00Z"}, missed); diff != "" {
			t.Errorf("missed ticks (-want +got):\n%s", diff)
		}
	})
}
