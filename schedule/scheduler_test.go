package schedule_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/schedule"
	"ingot.dev/ingot/sqlite"
)

// hourly runs on the hour, when something changed.
func hourly() *model.Schedule { return &model.Schedule{ScheduleExpression: "cron(0 * * * ? *)"} }

// sleepHours lets ticks of hourly pass.
func sleepHours(n int) {
	time.Sleep(time.Duration(n) * time.Hour)
	synctest.Wait()
}

func outcomes(ticks []ingot.Tick) (list []string) {
	for _, t := range ticks {
		list = append(list, string(t.Outcome)+": "+t.Reason)
	}
	return list
}

func TestDependencyCondition(t *testing.T) { // P9
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.start()
		nightly := f.pipeline("nightly", hourly(), func(p *model.ImagePipeline) { p.ImageTags = map[string]string{"by": "schedule"} })
		time.Sleep(time.Minute)
		sleepHours(2)
		f.put("component/hello/1.0.1/1", "ACTIVE", model.Component{Name: "hello", Platform: model.PlatformLinux})
		sleepHours(1)
		ticks := f.ticks(nightly)
		want := []string{
			"started: no image of the pipeline became AVAILABLE yet",
			"skipped: nothing changed since image " + arn(t, "image/demo/1.0.0/1").String(),
			"started: component " + own + "component/hello 1.0.0/1 -> 1.0.1/1",
		}
		if diff := cmp.Diff(want, outcomes(ticks)); diff != "" {
			t.Fatalf("ticks (-want +got):\n%s", diff)
		}
		image := f.image(arn(t, "image/demo/1.0.0/2"))
		if image.BuildType != model.BuildTypeScheduled || image.Tags["by"] != "schedule" || ticks[2].Image != image.Arn {
			t.Errorf("the tick started %q; the image is %s with tags %v", ticks[2].Image, image.BuildType, image.Tags)
		}
		if p := f.get(nightly); p.DateLastRun != image.DateCreated {
			t.Errorf("dateLastRun is %s, the last run began at %s", p.DateLastRun, image.DateCreated)
		}
		log, err := os.ReadFile(filepath.Join(f.dir, "logs/us-east-1/111122223333/aws/imagebuilder/pipeline/nightly/2000@01@01.log"))
		f.check(err)
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		var third struct {
			Pipeline string
			ingot.Tick
		}
		if len(lines) != 3 || json.Unmarshal([]byte(lines[2]), &third) != nil || third.Pipeline != nightly.String() || third.Tick != ticks[2] {
			t.Errorf("the pipeline's log has the lines %q", lines)
		}
		if !strings.Contains(lines[2], "1.0.0/1 -> 1.0.1/1") { // as people read it
			t.Errorf("the third line is %s", lines[2])
		}
	})
}

// A new version of the recipe is an update, and so is a new value of the
// parameter that names the parent.
func TestRecipeAndParameterAreDependencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		scope := arn(t, "image-pipeline/nightly").Scope()
		setParameter := func(value string) {
			t.Helper()
			_, err := f.PutParameter(context.Background(), ingot.Parameter{Scope: scope, Name: "/golden", Value: value, DataType: ingot.ParameterText, Modified: time.Now()})
			f.check(err)
		}
		f.start()
		setParameter("ami-00000000000000001")
		nightly := f.pipeline("nightly", hourly())
		time.Sleep(time.Minute)
		sleepHours(2)
		f.put("image-recipe/demo/1.1.0", "", model.ImageRecipe{
			Arn: arn(t, "image-recipe/demo/1.1.0").String(), Name: "demo", Version: "1.1.0", ParentImage: "ssm:/golden", Platform: model.PlatformLinux,
		})
		sleepHours(2)
		setParameter("ami-00000000000000002")
		sleepHours(2)
		const recipe, hello, last = own + "image-recipe/demo", own + "component/hello/1.0.0/1", own + "image/demo"
		want := []string{
			"started: no image of the pipeline became AVAILABLE yet",
			"skipped: nothing changed since image " + last + "/1.0.0/1",
			"started: recipe " + recipe + " 1.0.0 -> 1.1.0; component " + hello + " removed; parent image ami-0123456789abcdef0 -> ami-00000000000000001",
			"skipped: nothing changed since image " + last + "/1.1.0/1",
			"started: parent image ami-00000000000000001 -> ami-00000000000000002",
			"skipped: nothing changed since image " + last + "/1.1.0/2",
		}
		if diff := cmp.Diff(want, outcomes(f.ticks(nightly))); diff != "" {
			t.Errorf("ticks (-want +got):\n%s", diff)
		}
	})
}

func TestRunningBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.builder.become(model.ImageStatusPending)
		f.start()
		changed := f.pipeline("changed", hourly())
		always := f.pipeline("always", every("cron(0 * * * ? *)", ""))
		time.Sleep(time.Minute)
		sleepHours(2)
		if got := f.ticks(changed); len(got) != 2 || got[1].Outcome != ingot.TickSkipped || !strings.HasSuffix(got[1].Reason, "is still PENDING") {
			t.Errorf("with a build under way: %q", outcomes(got))
		}
		if got := f.ticks(always); len(got) != 2 || got[1].Outcome != ingot.TickStarted {
			t.Errorf("with EXPRESSION_MATCH_ONLY and a build under way: %q", outcomes(got))
		}
	})
}

func TestAutoDisable(t *testing.T) { // P10
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.builder.become(model.ImageStatusFailed)
		f.start()
		policy := hourly()
		policy.AutoDisablePolicy = &model.AutoDisablePolicy{FailureCount: 2}
		nightly := f.pipeline("nightly", policy)
		count := func(doing string, failures int, status model.PipelineStatus) {
			t.Helper()
			if p := f.get(nightly); p.ConsecutiveFailures == nil || *p.ConsecutiveFailures != failures || p.Status != status {
				t.Errorf("%s: %v failures, %s; want %d, %s", doing, *p.ConsecutiveFailures, p.Status, failures, status)
			}
		}
		manual := func() {
			t.Helper()
			var image ingot.ARN
			f.write(func(tx ingot.Tx) (err error) {
				image, err = ingot.StartPipeline(context.Background(), tx, f.DB, nightly, model.BuildTypeUserInitiated, nil, time.Now())
				return err
			})
			f.check(f.builder.StartImage(context.Background(), image))
		}
		time.Sleep(time.Minute)
		sleepHours(1)
		count("a scheduled failure", 1, model.PipelineStatusEnabled)
		manual()
		count("a manual one", 1, model.PipelineStatusEnabled)
		f.builder.become(model.ImageStatusCancelled)
		sleepHours(1)
		count("a cancelled one", 1, model.PipelineStatusEnabled)
		f.builder.become(model.ImageStatusAvailable)
		manual()
		count("a manual success", 0, model.PipelineStatusEnabled)
		f.put("component/hello/1.0.1/1", "ACTIVE", model.Component{Name: "hello", Platform: model.PlatformLinux})
		f.builder.become(model.ImageStatusFailed)
		sleepHours(2)
		count("two scheduled failures", 2, model.PipelineStatusDisabled)
		if _, err := f.Due(context.Background(), nightly); ingot.ErrorCode(err) != ingot.CodeNotFound {
			t.Errorf("a disabled pipeline is due: %v", err)
		}
		if got := f.disabledEvents(); len(got) != 1 || !strings.Contains(got[0], `{"consecutive-failures":"2"}`) || !strings.Contains(got[0], nightly.String()) {
			t.Errorf("the events are %q", got)
		}
		sleepHours(5)
		if n := len(f.ticks(nightly)); n != 4 {
			t.Errorf("a disabled pipeline has %d ticks, want 4", n)
		}
		f.replace("nightly", policy)
		count("an update", 0, model.PipelineStatusEnabled)
		sleepHours(1)
		count("a failure after it", 1, model.PipelineStatusEnabled)
	})
}

func TestFailedStartCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.start()
		policy := hourly()
		policy.AutoDisablePolicy = &model.AutoDisablePolicy{FailureCount: 2}
		nightly := f.pipeline("nightly", policy)
		f.write(func(tx ingot.Tx) error { return tx.Delete(context.Background(), arn(t, "component/hello/1.0.0/1")) })
		time.Sleep(time.Minute)
		sleepHours(1)
		got := f.ticks(nightly)
		if len(got) != 1 || got[0].Outcome != ingot.TickFailed || !strings.Contains(got[0].Reason, "component/hello/x.x.x") || got[0].Image != "" {
			t.Errorf("ticks: %q", outcomes(got))
		}
		sleepHours(1)
		if p := f.get(nightly); *p.ConsecutiveFailures != 2 || p.Status != model.PipelineStatusDisabled || p.DateLastRun != "" {
			t.Errorf("after two failed starts: %d, %s, last run %q", *p.ConsecutiveFailures, p.Status, p.DateLastRun)
		}
	})
}

func TestDeletedPipelineRunsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.start()
		nightly := f.pipeline("nightly", every("rate(1 hour)", ""))
		synctest.Wait()
		f.write(func(tx ingot.Tx) error { return tx.Delete(context.Background(), nightly) })
		sleepHours(3)
		if len(f.builder.begun) > 0 {
			t.Errorf("it began %v", f.builder.begun)
		}
	})
}

// A schedule that cannot be read must not keep others from running.
func TestBrokenSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.put("image-pipeline/broken", "ENABLED", model.ImagePipeline{Name: "broken", Schedule: &model.Schedule{ScheduleExpression: "soon"}})
		f.write(func(tx ingot.Tx) error {
			return tx.PutDue(context.Background(), ingot.Due{Pipeline: arn(t, "image-pipeline/broken"), At: time.Now()})
		})
		f.start()
		f.pipeline("hourly", every("rate(1 hour)", ""))
		sleepHours(1)
		if len(f.builder.begun) != 1 {
			t.Errorf("begun: %v", f.builder.begun)
		}
	})
}

// cutStore lets the work of a transaction be done, and lost, as by a kill
// before the commit.
type cutStore struct {
	*sqlite.DB
	cut bool
}

var errCut = errors.New("killed before the commit")

func (s *cutStore) Write(ctx context.Context, f func(ingot.Tx) error) error {
	return s.DB.Write(ctx, func(tx ingot.Tx) error {
		err := f(tx)
		if err == nil && s.cut {
			return ingot.Errorf(ingot.CodeUnavailable, "%w", errCut)
		}
		return err
	})
}

var discard = slog.New(slog.DiscardHandler)

// silent is a builder that was killed before it heard of an image.
type silent struct{}

func (silent) StartImage(context.Context, ingot.ARN) error { return errCut }

// A tick's image exists once, whether the server is killed before the commit
// or after it.
func TestTickHappensOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		nightly := f.pipeline("nightly", every("rate(1 hour)", ""))
		store := &cutStore{DB: f.DB, cut: true}
		run := func() (stop func()) {
			s := schedule.New(schedule.Config{Store: store, Builder: silent{}, Logs: &logs.Store{Dir: filepath.Join(f.dir, "logs")}, Now: time.Now, Log: discard})
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			return func() { cancel(); <-ended }
		}
		images := func() int {
			page, err := f.List(context.Background(), ingot.PipelineImages(nightly, 10))
			f.check(err)
			return len(page.Records)
		}
		stop := run()
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		stop()
		if n := images(); n != 0 {
			t.Errorf("%d images of a tick that was not committed", n)
		}
		store.cut = false
		for range 3 { // the first commits, and is killed before it begins the build
			stop = run()
			time.Sleep(time.Minute)
			synctest.Wait()
			stop()
		}
		if n := images(); n != 1 {
			t.Errorf("%d images of one tick, want 1", n)
		}
	})
}
