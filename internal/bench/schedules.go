package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/sqlite"
)

// Bars of pipelines.
const (
	manyPipelines = 10_000
	idleFor       = 20 * time.Second
	maxShare      = 0.01 // of a core
	queued        = 60   // builds that wait while another is started
	maxAnswer     = 50 * time.Millisecond
	together      = 10
	maxTogether   = 1.1 // times the processor's bound of doing them in turn
)

// pipelines measures schedules, the queue, and builds at once.
func pipelines(ctx context.Context, o options, dir string, t *table) error {
	if o.wants("schedules") {
		if err := scheduleRow(ctx, o, filepath.Join(dir, "schedules"), t); err != nil {
			return err
		}
	}
	if o.wants("queue") {
		if err := queueRow(ctx, o, filepath.Join(dir, "queue"), t); err != nil {
			return err
		}
	}
	if o.wants("ten") {
		return tenRow(ctx, o, filepath.Join(dir, "ten"), t)
	}
	return nil
}

// scheduleRow measures a server with many schedules. One is due each second, as
// often as if each ran eight times a day, and finds that nothing has changed.
func scheduleRow(ctx context.Context, o options, data string, t *table) error {
	recipe, err := prepareRecipe(ctx, o, data)
	if err != nil {
		return err
	}
	seeded, err := seedPipelines(ctx, filepath.Join(data, "ingot.db"), recipe)
	if err != nil {
		return err
	}
	var used time.Duration
	start, err := median(ctx, "start with 10,000 schedules", o.runs, func() (time.Duration, error) {
		s, err := startServer(ctx, o.ingot, data)
		if err != nil {
			return 0, err
		}
		defer s.stop()
		took, err := s.idle(ctx, idleFor)
		used = max(used, took)
		return s.took, err
	})
	if err != nil {
		return err
	}
	if err := checkTicks(ctx, filepath.Join(data, "ingot.db"), seeded); err != nil {
		return err
	}
	share := used.Seconds() / idleFor.Seconds()
	t.seconds("start, 10,000 schedules", start, maxStart)
	t.add("10,000 schedules, of a core", fmt.Sprintf("%.2f %%", 100*share), "", "", "<= 1 %", share <= maxShare)
	return nil
}

// prepareRecipe makes a recipe for pipelines in a new data directory.
func prepareRecipe(ctx context.Context, o options, data string) (recipe string, err error) {
	s, err := startServer(ctx, o.ingot, data)
	if err != nil {
		return "", err
	}
	defer s.stop()
	if err := s.importBase(ctx, o.base); err != nil {
		return "", err
	}
	job, err := s.prepare(ctx, "schedules", "ct.small", slowComponent)
	if err != nil {
		return "", err
	}
	return job.recipe, nil
}

// idle is the processor time that a server takes by itself, its start included.
func (s *server) idle(ctx context.Context, d time.Duration) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(d):
	}
	data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "stat"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the program's name may have blanks
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is %q", s.cmd.Process.Pid, data)
	}
	var user, system int64 // in ticks of 10 ms; the 14th and 15th of the file
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// scheduled is a stored pipeline, and when it is due first.
type scheduled struct {
	pipeline ingot.ARN
	due      time.Time
}

// seedPipelines stores pipelines of a recipe that run once a day, one a second
// from now. Each has an image that was made of what the recipe resolves to.
func seedPipelines(ctx context.Context, path, recipe string) ([]scheduled, error) {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	scope, err := ingot.ParseARN(recipe)
	if err != nil {
		return nil, err
	}
	made, err := ingot.FindDependencies(ctx, db, db, scope, &model.ImagePipeline{ImageRecipeArn: recipe})
	if err != nil {
		return nil, err
	}
	var seeded []scheduled
	first := time.Now()
	for len(seeded) < manyPipelines {
		err := db.Write(ctx, func(tx ingot.Tx) error {
			for range 1000 {
				s := scheduled{due: first.Add(time.Duration(len(seeded)) * time.Second)}
				name := fmt.Sprintf("seed-%06d", len(seeded))
				s.pipeline, err = ingot.ParseARN(fmt.Sprintf("arn:aws:imagebuilder:%s:%s:image-pipeline/%s", scope.Region, scope.Account, name))
				if err != nil {
					return err
				}
				if err := seedPipeline(ctx, tx, s, name, recipe, made); err != nil {
					return err
				}
				seeded = append(seeded, s)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return seeded, nil
}

func seedPipeline(ctx context.Context, tx ingot.Tx, s scheduled, name, recipe string, made ingot.Dependencies) error {
	written := s.due.AddDate(0, 0, -1)
	document, err := json.Marshal(model.ImagePipeline{
		Arn: s.pipeline.String(), Name: name, Status: model.PipelineStatusEnabled, DateCreated: model.DateTime(written), ImageRecipeArn: recipe,
		Schedule: &model.Schedule{
			ScheduleExpression:              "rate(1 day)",
			PipelineExecutionStartCondition: model.PipelineExecutionStartConditionExpressionMatchAndDependencyUpdatesAvailable,
		},
	})
	if err != nil {
		return err
	}
	r := ingot.Record{ARN: s.pipeline, Name: name, Status: "ENABLED", Created: written, Updated: written, Document: document}
	if err := tx.Create(ctx, r); err != nil {
		return err
	}
	image, err := ingot.ParseARN(fmt.Sprintf("arn:aws:imagebuilder:%s:%s:image/%s/1.0.0/1", s.pipeline.Region, s.pipeline.Account, name))
	if err != nil {
		return err
	}
	if err := tx.PutDependencies(ctx, image, s.pipeline, made); err != nil {
		return err
	}
	if err := tx.PromoteDependencies(ctx, image); err != nil {
		return err
	}
	return tx.PutDue(ctx, ingot.Due{Pipeline: s.pipeline, At: s.due})
}

// checkTicks wants the pipelines that were due while servers ran to have been
// looked at, each with nothing to do: else the row would measure something else.
func checkTicks(ctx context.Context, path string, seeded []scheduled) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, s := range seeded[:int(idleFor.Seconds())/2] {
		ticks, err := db.Ticks(ctx, s.pipeline, 1)
		if err != nil {
			return err
		}
		if len(ticks) == 0 || ticks[0].Outcome != ingot.TickSkipped {
			return fmt.Errorf("%s was due at %s and has the runs %+v; it must have been skipped", s.pipeline, s.due.Format(time.TimeOnly), ticks)
		}
	}
	return nil
}

// slowComponent keeps a build at work until it is cancelled.
const slowComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: wait
        action: ExecuteBash
        inputs: {commands: [sleep 600]}
`

// queueRow measures the answer to StartImagePipelineExecution while builds wait.
func queueRow(ctx context.Context, o options, data string, t *table) error {
	settings := data + ".yaml"
	if err := os.WriteFile(settings, []byte("builds: {max: 1}\n"), 0o600); err != nil {
		return err
	}
	s, err := startServer(ctx, o.ingot, data, "--config", settings)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.importBase(ctx, o.base); err != nil {
		return err
	}
	job, err := s.prepare(ctx, "queue", "ct.small", slowComponent)
	if err != nil {
		return err
	}
	var p model.CreateImagePipelineResponse
	err = s.api.Do(ctx, "CreateImagePipeline", model.CreateImagePipelineRequest{
		Name: "queue", ImageRecipeArn: job.recipe, InfrastructureConfigurationArn: job.infrastructure,
	}, &p)
	if err != nil {
		return err
	}
	var images []string
	var took []time.Duration
	for range queued {
		start := time.Now()
		var out model.StartImagePipelineExecutionResponse
		if err = s.api.Do(ctx, "StartImagePipelineExecution", model.StartImagePipelineExecutionRequest{ImagePipelineArn: p.ImagePipelineArn}, &out); err != nil {
			break
		}
		took = append(took, time.Since(start))
		images = append(images, out.ImageBuildVersionArn)
	}
	if err := s.cancel(context.WithoutCancel(ctx), images); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	first, last := took[0], slices.Sorted(slices.Values(took[queued-20:]))[10]
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
	t.add(fmt.Sprintf("start, %d builds queued", queued), ms(last), "first "+ms(first)+", worst "+ms(slices.Max(took)), "", "<= "+ms(maxAnswer), last <= maxAnswer)
	return nil
}

// cancel cancels images and waits until none is being made: instances outlive
// a server.
func (s *server) cancel(ctx context.Context, images []string) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	for _, image := range images {
		if err := s.api.Do(ctx, "CancelImageCreation", model.CancelImageCreationRequest{ImageBuildVersionArn: image}, nil); err != nil {
			return err
		}
	}
	for _, image := range images {
		if _, err := s.await(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// await polls an image until it is not being made any more.
func (s *server) await(ctx context.Context, image string) (model.ImageStatus, error) {
	for {
		var got model.GetImageResponse
		if err := s.api.Do(ctx, "GetImage", model.GetImageRequest{ImageBuildVersionArn: image}, &got); err != nil {
			return "", err
		}
		if !ingot.IsImagePending(got.Image.State.Status) {
			return got.Image.State.Status, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// busyComponent computes for some seconds on one processor.
const busyComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: compute
        action: ExecuteBash
        inputs: {commands: [head -c 1500000000 /dev/zero | sha256sum]}
`

// tenRow builds ten images at once, and compares that with what the processors
// need at least for ten in turn. It says something on a quiet machine only:
// what else computes is counted as the builds'.
func tenRow(ctx context.Context, o options, data string, t *table) error {
	s, err := startServer(ctx, o.ingot, data)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.importBase(ctx, o.base); err != nil {
		return err
	}
	job, err := s.prepare(ctx, "ten", "ct.small", busyComponent)
	if err != nil {
		return err
	}
	if _, err := s.bake(ctx, job, false); err != nil { // warms the caches
		return err
	}
	before, err := busy()
	if err != nil {
		return err
	}
	const inTurn = 3
	for range inTurn {
		if _, err := s.bake(ctx, job, false); err != nil {
			return err
		}
	}
	after, err := busy()
	if err != nil {
		return err
	}
	bound := (after - before) / inTurn * together / time.Duration(runtime.NumCPU())
	took, err := s.bakeTogether(ctx, job, together)
	if err != nil {
		return err
	}
	t.ratio("ten builds at once", took, "bound", bound, maxTogether)
	return nil
}

func (s *server) bakeTogether(ctx context.Context, j *job, n int) (time.Duration, error) {
	start := time.Now()
	var images []string
	for range n {
		var out model.CreateImageResponse
		err := s.api.Do(ctx, "CreateImage", model.CreateImageRequest{
			ImageRecipeArn: j.recipe, InfrastructureConfigurationArn: j.infrastructure,
			ImageTestsConfiguration: &model.ImageTestsConfiguration{ImageTestsEnabled: new(false)},
		}, &out)
		if err != nil {
			return 0, err
		}
		images = append(images, out.ImageBuildVersionArn)
	}
	for _, image := range images {
		status, err := s.await(ctx, image)
		if err != nil {
			return 0, err
		}
		if status != model.ImageStatusAvailable {
			return 0, fmt.Errorf("image %s is %s", image, status)
		}
	}
	return time.Since(start), nil
}

// busy is the processor time that the machine has spent so far.
func busy() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, wait, irq, soft int64 // in ticks of 10 ms
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft); err != nil {
		return 0, fmt.Errorf("reading /proc/stat: %w", err)
	}
	return time.Duration(user+nice+system+irq+soft) * 10 * time.Millisecond, nil
}
