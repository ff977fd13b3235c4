package lifecycle

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
	"ingot.dev/ingot/sqlite"
)

const (
	north  = "us-east-1" // where the images are
	south  = "us-west-2"
	own    = "111122223333"
	friend = "444455556666"
	prefix = "arn:aws:imagebuilder:" + north + ":" + own + ":"
)

// lab is a store and regions on disk, and the half of a server that carries out
// lifecycles, with a clock of its own.
type lab struct {
	testing.TB
	*sqlite.DB
	dir     string
	now     time.Time
	regions *region.Set
	runner  *Runner
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{TB: t, dir: t.TempDir(), now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	db, err := sqlite.Open(t.Context(), filepath.Join(l.dir, "ingot.db"))
	l.check(err)
	t.Cleanup(func() { l.check(db.Close()) })
	l.DB = db
	l.start(db)
	return l
}

// start makes the runner and the regions over a store, as a start of the
// server does: what nothing names is swept.
func (l *lab) start(store ingot.Store) {
	l.Helper()
	l.regions = region.Open(filepath.Join(l.dir, "regions"), filepath.Join(l.dir, "cache"), store)
	for _, name := range []string{north, south} {
		local, err := l.regions.Region(name)
		l.check(err)
		_, err = local.Sweep(context.Background(), func(context.Context) ([]disk.SnapshotID, error) { return nil, nil })
		l.check(err)
	}
	l.runner = New(Config{
		Store: store, Regions: l.regions, Now: func() time.Time { return l.now },
		Log: slog.New(slog.NewTextHandler(l.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
}

func (l *lab) check(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) write(f func(context.Context, ingot.Tx) error) {
	l.Helper()
	ctx := context.Background()
	l.check(l.Write(ctx, func(tx ingot.Tx) error { return f(ctx, tx) }))
}

func (l *lab) arn(tail string) ingot.ARN {
	l.Helper()
	a, err := ingot.ParseARN(prefix + tail)
	l.check(err)
	return a
}

// pass does what is due.
func (l *lab) pass() {
	l.Helper()
	_, err := l.runner.Pass(context.Background())
	l.check(err)
}

// nextRun lets a day pass, in which every policy is due once.
func (l *lab) nextRun() {
	l.Helper()
	l.now = l.now.Add(24 * time.Hour)
	l.pass()
}

// image stores demo VERSION/BUILD, of the recipe demo, as many days old.
func (l *lab) image(tail string, days int, status model.ImageStatus, tags ...string) ingot.ARN {
	l.Helper()
	a := l.arn("image/demo/" + tail)
	i := model.Image{
		Arn: a.String(), Name: "demo", Type: model.ImageTypeAmi, State: &model.ImageState{Status: status},
		ImageRecipe:     &model.ImageRecipe{Arn: l.arn("image-recipe/demo/" + a.Version.String()).String()},
		OutputResources: &model.OutputResources{Amis: []model.Ami{}},
	}
	document, err := json.Marshal(i)
	l.check(err)
	r := ingot.Record{ARN: a, Name: "demo", Status: string(status), Created: l.now.AddDate(0, 0, -days), Updated: l.now, Document: document, Tags: map[string]string{}}
	for _, t := range tags {
		key, value, _ := strings.Cut(t, "=")
		r.Tags[key] = value
	}
	l.write(func(ctx context.Context, tx ingot.Tx) error { return tx.Create(ctx, r) })
	return a
}

// ami registers an AMI of an image over a small disk of its own, and lists it
// among the outputs.
func (l *lab) ami(image ingot.ARN, regionName string, change ...func(*ingot.AMI)) ingot.AMI {
	l.Helper()
	a := ingot.AMI{
		Scope: ingot.Scope{Account: own, Region: regionName}, Name: image.Name, ImageARN: image.String(),
		Snapshot: string(region.SnapshotID(image.String(), regionName)), Created: l.now,
	}
	for _, f := range change {
		f(&a)
	}
	a.ID = region.AMIID(image.String(), regionName+a.Account, disk.SnapshotID(a.Snapshot))
	local, err := l.regions.Region(regionName)
	l.check(err)
	if _, err := local.Disks.Find(disk.SnapshotID(a.Snapshot)); err != nil {
		l.importDisk(local, disk.SnapshotID(a.Snapshot), byte(image.Build))
	}
	l.check(local.RegisterImage(context.Background(), a))
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		_, err := tx.Update(ctx, image, nil, func(r *ingot.Record) error {
			i, err := ingot.Decode[model.Image](*r)
			l.check(err)
			i.OutputResources.Amis = append(i.OutputResources.Amis, model.Ami{Region: a.Region, AccountId: a.Account, Image: a.ID})
			r.Document, err = json.Marshal(i)
			return err
		})
		return err
	})
	return a
}

// importDisk stores a disk with one partition and a byte that tells it apart.
func (l *lab) importDisk(local *region.Region, id disk.SnapshotID, content byte) {
	l.Helper()
	raw := make([]byte, 64<<10)
	raw[446+4] = 0x83
	binary.LittleEndian.PutUint32(raw[446+8:], 8)
	binary.LittleEndian.PutUint32(raw[446+12:], 100)
	raw[510], raw[511], raw[8192] = 0x55, 0xaa, content
	path := filepath.Join(l.TempDir(), "disk.raw")
	l.check(os.WriteFile(path, raw, 0o600))
	_, err := local.Disks.Import(context.Background(), id, path, "")
	l.check(err)
}

// policy creates an enabled policy of the recipe demo.
func (l *lab) policy(name, version string, rules ...model.LifecyclePolicyDetail) ingot.ARN {
	l.Helper()
	a := l.arn("lifecycle-policy/" + name)
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		return ingot.CreateLifecyclePolicy(ctx, tx, a, &model.CreateLifecyclePolicyRequest{
			Name: name, ExecutionRole: "lifecycle", ResourceType: model.LifecyclePolicyResourceTypeAmiImage, PolicyDetails: rules,
			ResourceSelection: &model.LifecyclePolicyResourceSelection{
				Recipes: []model.LifecyclePolicyResourceSelectionRecipe{{Name: "demo", SemanticVersion: version}},
			},
		}, l.now)
	})
	return a
}

// enable sets the status of a policy, as UpdateLifecyclePolicy does.
func (l *lab) enable(policy ingot.ARN, status model.LifecyclePolicyStatus) {
	l.Helper()
	record, err := l.Get(context.Background(), policy)
	l.check(err)
	p, err := ingot.Decode[model.LifecyclePolicy](record)
	l.check(err)
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		return ingot.UpdateLifecyclePolicy(ctx, tx, policy, &model.UpdateLifecyclePolicyRequest{
			Status: status, ExecutionRole: p.ExecutionRole, ResourceType: p.ResourceType, PolicyDetails: p.PolicyDetails, ResourceSelection: p.ResourceSelection,
		}, l.now)
	})
}

// rule is a rule of a policy.
func rule(action model.LifecyclePolicyDetailActionType, filter model.LifecyclePolicyDetailFilter, change ...func(*model.LifecyclePolicyDetail)) model.LifecyclePolicyDetail {
	r := model.LifecyclePolicyDetail{Action: &model.LifecyclePolicyDetailAction{Type: action}, Filter: &filter}
	for _, f := range change {
		f(&r)
	}
	return r
}

func keep(n int) model.LifecyclePolicyDetailFilter {
	return model.LifecyclePolicyDetailFilter{Type: model.LifecyclePolicyDetailFilterTypeCount, Value: n}
}

func older(days int) model.LifecyclePolicyDetailFilter {
	return model.LifecyclePolicyDetailFilter{Type: model.LifecyclePolicyDetailFilterTypeAge, Value: days, Unit: model.LifecyclePolicyTimeUnitDays}
}

// including extends a rule to AMIs, and to their snapshots.
func including(snapshots bool) func(*model.LifecyclePolicyDetail) {
	return func(r *model.LifecyclePolicyDetail) {
		r.Action.IncludeResources = &model.LifecyclePolicyDetailActionIncludeResources{Amis: new(true), Snapshots: &snapshots}
	}
}

func excluding(x model.LifecyclePolicyDetailExclusionRulesAmis) func(*model.LifecyclePolicyDetail) {
	return func(r *model.LifecyclePolicyDetail) {
		r.ExclusionRules = &model.LifecyclePolicyDetailExclusionRules{Amis: &x}
	}
}

// update asks for a state of an image and its AMIs, and returns the execution.
func (l *lab) update(image ingot.ARN, to model.ResourceStatus, change ...func(*model.StartResourceStateUpdateRequest)) (id string) {
	l.Helper()
	in := &model.StartResourceStateUpdateRequest{
		ResourceArn: image.String(), State: &model.ResourceState{Status: to}, ExecutionRole: "lifecycle",
		IncludeResources: &model.ResourceStateUpdateIncludeResources{Amis: new(true), Snapshots: new(to == model.ResourceStatusDeleted)},
	}
	for _, f := range change {
		f(in)
	}
	l.check(ingot.CheckStateUpdate(in, l.now))
	l.write(func(ctx context.Context, tx ingot.Tx) (err error) {
		id, err = ingot.UpdateImageState(ctx, tx, image, in, l.now)
		return err
	})
	return id
}

// images are the images of demo that are there, as "1.0.0/2 AVAILABLE".
func (l *lab) images() (list []string) {
	l.Helper()
	page, err := l.List(context.Background(), ingot.Query{Scope: ingot.Scope{Account: own, Region: north}, Kind: ingot.KindImage, Limit: 100})
	l.check(err)
	for _, r := range page.Records {
		list = append(list, fmt.Sprintf("%s/%d %s", r.ARN.Version, r.ARN.Build, r.Status))
	}
	slices.Sort(list)
	return list
}

func (l *lab) getImage(a ingot.ARN) *model.Image {
	l.Helper()
	record, err := l.Get(context.Background(), a)
	l.check(err)
	i, err := ingot.Decode[model.Image](record)
	l.check(err)
	return i
}

// last is the newest execution of a policy or image.
func (l *lab) last(of ingot.ARN) ingot.LifecycleExecution {
	l.Helper()
	list, _, err := l.LifecycleExecutions(context.Background(), of, "", 1)
	l.check(err)
	if len(list) == 0 {
		l.Fatalf("%s has no execution", of)
	}
	return list[0]
}

// rows are those of an execution, as "DELETE 1.0.0/2 SUCCESS" or, for outputs,
// "DELETE ami-… us-east-1 SUCCESS [snapshot SUCCESS]".
func (l *lab) rows(id string, parent ingot.ARN) (list []string) {
	l.Helper()
	rows, _, err := l.LifecycleResources(context.Background(), id, parent, "", 100)
	l.check(err)
	for _, r := range rows {
		name := r.ResourceId + " " + r.Region
		if a, err := ingot.ParseARN(r.ResourceId); err == nil {
			name = fmt.Sprintf("%s/%d", a.Version, a.Build)
		}
		text := fmt.Sprintf("%s %s %s", r.Action.Name, name, r.State.Status)
		for _, s := range r.Snapshots {
			text += fmt.Sprintf(" [snapshot %s]", s.State.Status)
		}
		list = append(list, text)
	}
	return list
}

// snapshots are how many a region has.
func (l *lab) snapshots(name string) int {
	l.Helper()
	local, err := l.regions.Region(name)
	l.check(err)
	list, err := local.Disks.List(context.Background())
	l.check(err)
	return len(list)
}

// stored is how many blocks a region has on disk.
func (l *lab) stored(name string) (n int) {
	l.Helper()
	l.check(filepath.WalkDir(filepath.Join(l.dir, "regions", name, "blocks"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	return n
}
