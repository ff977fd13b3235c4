package build

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/flow/journal"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
	"ingot.dev/ingot/sqlite"
)

func TestMain(m *testing.M) {
	os.Exit(computetest.Main(m, map[string]shim.Machine{compute.KindContainer: container.Machine{}}))
}

// lab is a server's half of builds, over a data directory that stays when the
// server is stopped and started.
type lab struct {
	*testing.T
	dir     string
	drivers map[string]compute.Driver
	change  func(*Config)
	hook    func(action string, do flow.Action) flow.Action // around every action; nil: none

	db      *sqlite.DB
	regions *region.Set
	engine  *journal.Engine
	builder *Builder
	acting  sync.WaitGroup // actions that have not returned
}

const (
	labRegion  = "eu-test-1"
	labAccount = "123456789012"
)

// newLab makes a lab whose base image is the disk at path. change completes
// the configuration of its builders.
func newLab(t *testing.T, drivers map[string]compute.Driver, path string, change func(*Config)) *lab {
	t.Helper()
	l := &lab{T: t, dir: t.TempDir(), drivers: drivers, change: change}
	l.start()
	t.Cleanup(l.stop)
	local, err := l.regions.Region(labRegion)
	l.check(err)
	snap, err := local.Disks.Import(t.Context(), region.SnapshotID("base"), path, "")
	l.check(err)
	l.check(local.RegisterImage(t.Context(), ingot.AMI{
		Scope: ingot.Scope{Account: labAccount, Region: labRegion}, ID: "ami-0123456789abcdef0", Name: "base",
		Architecture: "x86_64", Platform: "Linux", Snapshot: string(snap.ID),
	}))
	return l
}

func (l *lab) check(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// start is the start of a server.
func (l *lab) start() {
	l.Helper()
	var err error
	l.db, err = sqlite.Open(context.Background(), filepath.Join(l.dir, "ingot.db"))
	l.check(err)
	l.regions = region.Open(filepath.Join(l.dir, "regions"), filepath.Join(l.dir, "cache"), l.db)
	l.engine = journal.New(l.db.Writer())
	log := slog.New(slog.NewTextHandler(l.Output(), nil))
	l.engine.Log = log
	c := Config{
		Records: l.db, Engine: hooked{l.engine, l}, Drivers: l.drivers, Regions: l.regions,
		Dir: filepath.Join(l.dir, "builds"), Instances: filepath.Join(l.dir, "instances"), Logs: l.logs(),
		Scopes: []ingot.Scope{{Account: labAccount, Region: labRegion}}, Log: log,
	}
	if l.change != nil {
		l.change(&c)
	}
	l.builder = New(c)
	l.check(catalog.SyncWorkflows(context.Background(), l.db, labRegion, time.Now()))
	l.check(l.engine.Open(context.Background()))
	l.check(l.builder.Resume(context.Background()))
}

func (l *lab) logs() *logs.Store {
	return &logs.Store{
		Dir:   filepath.Join(l.dir, "logs"),
		Image: func(image ingot.ARN) string { return LogFile(filepath.Join(l.dir, "builds"), image) },
	}
}

// hooked puts the lab's hook around every action.
type hooked struct {
	*journal.Engine
	lab *lab
}

func (h hooked) Action(name string, do flow.Action) {
	h.Engine.Action(name, func(ctx context.Context, in json.RawMessage) (any, error) {
		h.lab.acting.Add(1)
		defer h.lab.acting.Done()
		if h.lab.hook != nil {
			return h.lab.hook(stepOf(name, in), do)(ctx, in) // do itself is shared by all runs
		}
		return do(ctx, in)
	})
}

// stepOf is the name of the step that an action works for, or the action's own.
func stepOf(action string, in json.RawMessage) string {
	var t task
	if err := json.Unmarshal(in, &t); err == nil && t.Step.Name != "" {
		return t.Step.Name
	}
	return action
}

// stop is the orderly end of a server.
func (l *lab) stop() {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l.check(l.engine.Close(ctx))
	l.check(l.db.Close())
}

// kill is its end without any grace: what actions return is not saved. The
// actions themselves have ended when it returns, as those of a killed process
// have: one that cleaned up now would do it to the next server's work.
func (l *lab) kill() {
	l.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.engine.Close(ctx); err != nil {
		l.Log(err) // some action was running, as it should
	}
	l.check(l.db.Close())
	l.acting.Wait()
}

func (l *lab) put(r ingot.Record, document any) {
	l.Helper()
	data, err := json.Marshal(document)
	l.check(err)
	r.Document, r.Created, r.Updated = data, time.Now(), time.Now()
	l.check(l.db.Write(l.Context(), func(tx ingot.Tx) error { return tx.Create(l.Context(), r) }))
}

// component stores a component with a document.
func (l *lab) component(name, document string) string {
	l.Helper()
	arn := l.arn("component/" + name + "/1.0.0/1")
	l.put(ingot.Record{ARN: arn, Name: name, Status: "ACTIVE"}, model.Component{
		Arn: arn.String(), Name: name, Data: document, Platform: model.PlatformLinux,
	})
	return arn.String()
}

func (l *lab) arn(tail string) ingot.ARN {
	l.Helper()
	arn, err := ingot.ParseARN("arn:aws:imagebuilder:" + labRegion + ":" + labAccount + ":" + tail)
	l.check(err)
	return arn
}

// image stores a PENDING image of components; change may add to it.
func (l *lab) image(name string, change func(*model.Image), components ...string) ingot.ARN {
	l.Helper()
	arn := l.arn("image/" + name + "/1.0.0/1")
	image := model.Image{
		Arn: arn.String(), Name: name, Version: "1.0.0/1", Platform: model.PlatformLinux, Type: model.ImageTypeAmi,
		State: &model.ImageState{Status: model.ImageStatusPending}, DateCreated: model.DateTime(time.Now()),
		ImageRecipe:             &model.ImageRecipe{Name: name, ParentImage: "ami-0123456789abcdef0", WorkingDirectory: l.TempDir()},
		ImageTestsConfiguration: &model.ImageTestsConfiguration{ImageTestsEnabled: new(false)},
	}
	for _, c := range components {
		image.ImageRecipe.Components = append(image.ImageRecipe.Components, model.ComponentConfiguration{ComponentArn: c})
	}
	if change != nil {
		change(&image)
	}
	l.put(ingot.Record{ARN: arn, Name: name, Status: string(model.ImageStatusPending), Attributes: map[string][]string{}}, image)
	return arn
}

// build starts a build and waits for its end.
func (l *lab) build(arn ingot.ARN) *model.Image {
	l.Helper()
	l.check(l.builder.StartImage(l.Context(), arn))
	return l.await(arn)
}

// await follows a build's log to its end and returns the image.
func (l *lab) await(arn ingot.ARN) *model.Image {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), 2*time.Minute)
	defer cancel()
	dir := filepath.Join(l.dir, "builds", ID(arn))
	if err := Follow(ctx, dir, true, func(Line) {}); err != nil {
		l.Fatalf("following the log of %s: %v\n%s", arn, err, l.log(arn))
	}
	return l.get(arn)
}

func (l *lab) get(arn ingot.ARN) *model.Image {
	l.Helper()
	r, err := l.db.Get(l.Context(), arn)
	l.check(err)
	image, err := ingot.Decode[model.Image](r)
	l.check(err)
	if string(image.State.Status) != r.Status {
		l.Errorf("the record of %s is %s, its document %s", arn, r.Status, image.State.Status)
	}
	return image
}

// log is the log of a build as text.
func (l *lab) log(arn ingot.ARN) string {
	l.Helper()
	var b strings.Builder
	err := Follow(l.Context(), filepath.Join(l.dir, "builds", ID(arn)), false, func(line Line) {
		fmt.Fprintf(&b, "%s [%s] %s/%s/%s %s %s\n", line.Time.Format("05.000"), line.Step, line.Component, line.Phase, line.DocumentStep, line.Stream, line.Text)
	})
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

// wantStatus fails the test with the build's log when an image is not in a status.
func (l *lab) wantStatus(image *model.Image, want model.ImageStatus) {
	l.Helper()
	if image.State.Status != want {
		arn, err := ingot.ParseARN(image.Arn)
		l.check(err)
		l.Fatalf("%s is %s (%s), want %s; its log:\n%s", image.Arn, image.State.Status, image.State.Reason, want, l.log(arn))
	}
}

// workflow lists the steps of a workflow execution as "name STATUS rollback".
func (l *lab) workflow(arn ingot.ARN, workflow string) (status model.WorkflowExecutionStatus, steps []string) {
	l.Helper()
	w, err := l.db.WorkflowExecution(l.Context(), executionID(arn.String(), workflow, 1))
	l.check(err)
	list, _, err := l.db.StepExecutions(l.Context(), w.WorkflowExecutionId, "", maxSteps)
	l.check(err)
	for _, s := range list {
		steps = append(steps, strings.TrimSpace(fmt.Sprintf("%s %s %s", s.Name, s.Status, s.RollbackStatus)))
	}
	return w.Status, steps
}

// snapshots counts the snapshots of the lab's region, the base aside.
func (l *lab) snapshots() int {
	l.Helper()
	local, err := l.regions.Region(labRegion)
	l.check(err)
	list, err := local.Disks.List(l.Context())
	l.check(err)
	return len(list) - 1
}

// smallDisk makes a disk of one file system, for builds that boot nothing.
func smallDisk(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "base.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(8 << 20); err != nil {
		t.Fatal(err)
	}
	// The magic number of an ext4 superblock makes it a disk to package disk.
	if _, err := f.WriteAt([]byte{0x53, 0xef}, 1024+56); err != nil {
		t.Fatal(err)
	}
	return path
}

func needQEMUImg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		testenv.For(t, testenv.QEMU) // skips, or fails where it is required
	}
}

const echoDocument = `name: echo
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Hello
        action: ExecuteBash
        inputs:
          commands:
            - echo hello from the build
  - name: test
    steps:
      - name: Works
        action: ExecuteBash
        inputs:
          commands:
            - echo hello from the test
`
