package schedule_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/schedule"
	"ingot.dev/ingot/sqlite"
)

// factory is a store with what pipelines need, and the scheduler's half of a
// server, which can be stopped and started.
type factory struct {
	testing.TB
	*sqlite.DB
	dir     string
	now     func() time.Time
	builder *fakeBuilder
	keepLog time.Duration

	scheduler *schedule.Scheduler
	stop      func()
}

// newFactory makes a factory with the recipe demo, of any version of the
// component hello, on an AMI. Its scheduler is not started.
func newFactory(t testing.TB, now func() time.Time) *factory {
	t.Helper()
	f := &factory{TB: t, dir: t.TempDir(), now: now, stop: func() {}}
	f.builder = &fakeBuilder{factory: f, outcome: model.ImageStatusAvailable}
	f.open()
	f.put("component/hello/1.0.0/1", "ACTIVE", model.Component{Name: "hello", Platform: model.PlatformLinux})
	f.put("image-recipe/demo/1.0.0", "", model.ImageRecipe{
		Arn: arn(t, "image-recipe/demo/1.0.0").String(), Name: "demo", Version: "1.0.0", ParentImage: "ami-0123456789abcdef0",
		Platform: model.PlatformLinux, Components: []model.ComponentConfiguration{{ComponentArn: arn(t, "component/hello/x.x.x").String()}},
	})
	f.put("infrastructure-configuration/infra", "", model.InfrastructureConfiguration{Name: "infra"})
	return f
}

const own = "arn:aws:imagebuilder:us-east-1:111122223333:"

func arn(t testing.TB, tail string) ingot.ARN {
	t.Helper()
	a, err := ingot.ParseARN(own + tail)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (f *factory) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *factory) open() {
	f.Helper()
	db, err := sqlite.Open(context.Background(), filepath.Join(f.dir, "ingot.db"))
	f.check(err)
	f.DB = db
}

// start begins the scheduler, over a store that is opened anew.
func (f *factory) start() {
	f.Helper()
	f.close()
	f.open()
	f.scheduler = schedule.New(schedule.Config{
		Store: f.DB, Builder: f.builder, Logs: &logs.Store{Dir: filepath.Join(f.dir, "logs")}, KeepLog: f.keepLog, Now: f.now,
		Log: slog.New(slog.NewTextHandler(f.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.scheduler.Run(ctx) })
	f.stop = func() { cancel(); running.Wait(); f.stop = func() {} }
}

// close is the end of a server.
func (f *factory) close() {
	f.Helper()
	f.stop()
	f.check(f.DB.Close())
}

func (f *factory) write(do func(ingot.Tx) error) {
	f.Helper()
	f.check(f.Write(context.Background(), do))
}

func (f *factory) put(tail, status string, document any) {
	f.Helper()
	data, err := json.Marshal(document)
	f.check(err)
	a := arn(f, tail)
	f.write(func(tx ingot.Tx) error {
		return tx.Create(context.Background(), ingot.Record{ARN: a, Name: a.Name, Status: status, Created: f.now(), Updated: f.now(), Document: data})
	})
}

// pipeline creates a pipeline of the recipe demo.
func (f *factory) pipeline(name string, s *model.Schedule, change ...func(*model.ImagePipeline)) ingot.ARN {
	f.Helper()
	a := arn(f, "image-pipeline/"+name)
	p := f.document(name, s, change)
	f.write(func(tx ingot.Tx) error {
		return ingot.CreatePipeline(context.Background(), tx, a, p, nil, f.now())
	})
	f.changed()
	return a
}

// replace updates a pipeline, as UpdateImagePipeline does.
func (f *factory) replace(name string, s *model.Schedule, change ...func(*model.ImagePipeline)) {
	f.Helper()
	f.write(func(tx ingot.Tx) error {
		return ingot.ReplacePipeline(context.Background(), tx, arn(f, "image-pipeline/"+name), f.document(name, s, change), f.now())
	})
	f.changed()
}

func (f *factory) document(name string, s *model.Schedule, change []func(*model.ImagePipeline)) *model.ImagePipeline {
	p := &model.ImagePipeline{
		Name: name, Schedule: s, ImageRecipeArn: arn(f, "image-recipe/demo/x.x.x").String(),
		InfrastructureConfigurationArn: arn(f, "infrastructure-configuration/infra").String(),
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func (f *factory) changed() {
	if f.scheduler != nil {
		f.scheduler.Changed()
	}
}

func (f *factory) get(pipeline ingot.ARN) *model.ImagePipeline {
	f.Helper()
	record, err := f.Get(context.Background(), pipeline)
	f.check(err)
	p, err := ingot.Decode[model.ImagePipeline](record)
	f.check(err)
	return p
}

func (f *factory) image(a ingot.ARN) *model.Image {
	f.Helper()
	record, err := f.Get(context.Background(), a)
	f.check(err)
	image, err := ingot.Decode[model.Image](record)
	f.check(err)
	image.Tags = record.Tags
	return image
}

// ticks are the last ticks of a pipeline, oldest first.
func (f *factory) ticks(pipeline ingot.ARN) []ingot.Tick {
	f.Helper()
	list, err := f.Ticks(context.Background(), pipeline, ingot.KeptTicks)
	f.check(err)
	for i := range len(list) / 2 {
		list[i], list[len(list)-1-i] = list[len(list)-1-i], list[i]
	}
	return list
}

// disabledEvents are the events that tell of disabled pipelines.
func (f *factory) disabledEvents() (list []string) {
	f.Helper()
	messages, err := f.Messages(context.Background(), 0, 1000)
	f.check(err)
	for _, m := range messages {
		if m.Name == string(ingot.EventPipelineDisabled) {
			list = append(list, string(m.Body))
		}
	}
	return list
}

// fakeBuilder makes images at once, without building anything: it does to the
// records what a build does.
type fakeBuilder struct {
	*factory
	mu      sync.Mutex
	outcome model.ImageStatus // of the next builds; PENDING leaves them
	begun   []string          // "pipeline time" of each
}

// become sets the outcome of the next builds.
func (b *fakeBuilder) become(outcome model.ImageStatus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcome = outcome
}

func (b *fakeBuilder) StartImage(ctx context.Context, a ingot.ARN) error {
	image := b.image(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun = append(b.begun, fmt.Sprintf("%s %s", image.SourcePipelineName, b.now().UTC().Format("Mon 02 15:04:05")))
	if b.outcome == model.ImageStatusPending {
		return nil
	}
	return b.finish(ctx, a, image, b.outcome)
}

func (b *fakeBuilder) finish(ctx context.Context, a ingot.ARN, image *model.Image, outcome model.ImageStatus) error {
	return b.Write(ctx, func(tx ingot.Tx) error {
		pipeline, err := ingot.ParseARN(image.SourcePipelineArn)
		if err != nil {
			return err
		}
		d, err := ingot.FindDependencies(ctx, tx, b.DB, pipeline, &model.ImagePipeline{ImageRecipeArn: image.ImageRecipe.Arn})
		if err != nil {
			return err
		}
		if err := tx.PutDependencies(ctx, a, pipeline, d); err != nil {
			return err
		}
		return ingot.UpdateImage(ctx, tx, a, nil, outcome, b.now(), func(*model.Image) {})
	})
}
