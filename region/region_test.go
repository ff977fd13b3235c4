package region

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
)

const (
	alice = "111111111111"
	bob   = "222222222222"
	here  = "us-east-1"
)

// records is an ingot.AMIStore in memory.
type records map[ingot.Scope]map[string]ingot.AMI

func (r records) RegisterAMI(_ context.Context, ami ingot.AMI) error {
	if r[ami.Scope] == nil {
		r[ami.Scope] = map[string]ingot.AMI{}
	}
	r[ami.Scope][ami.ID] = ami
	return nil
}

func (r records) FindAMI(_ context.Context, scope ingot.Scope, id string) (ingot.AMI, error) {
	if ami, ok := r[scope][id]; ok {
		return ami, nil
	}
	return ingot.AMI{}, ingot.Errorf(ingot.CodeNotFound, "no %s", id)
}

func (r records) FindAMINamed(ctx context.Context, scope ingot.Scope, name string) (ingot.AMI, error) {
	for _, ami := range r[scope] {
		if ami.Name == name {
			return ami, nil
		}
	}
	return ingot.AMI{}, ingot.Errorf(ingot.CodeNotFound, "no AMI named %s", name)
}

func (r records) UpdateAMI(ctx context.Context, scope ingot.Scope, id string, change func(*ingot.AMI)) error {
	ami, err := r.FindAMI(ctx, scope, id)
	if err != nil {
		return err
	}
	change(&ami)
	r[scope][id] = ami
	return nil
}

func (r records) ListAMIs(_ context.Context, scope ingot.Scope) (list []ingot.AMI, err error) {
	for s, amis := range r {
		if s.Region != scope.Region || scope.Account != "" && s.Account != scope.Account {
			continue
		}
		for _, ami := range amis {
			list = append(list, ami)
		}
	}
	return list, nil
}

func (r records) AMIsOfSnapshot(ctx context.Context, region, snapshot string, limit int) (list []ingot.AMI, err error) {
	all, err := r.ListAMIs(ctx, ingot.Scope{Region: region})
	for _, ami := range all {
		if ami.Snapshot == snapshot && len(list) < limit {
			list = append(list, ami)
		}
	}
	return list, err
}

func (r records) DeleteAMI(ctx context.Context, scope ingot.Scope, id string) (ingot.AMI, error) {
	ami, err := r.FindAMI(ctx, scope, id)
	delete(r[scope], id)
	return ami, err
}

func openTest(t *testing.T) *Set {
	t.Helper()
	dir := t.TempDir()
	return Open(filepath.Join(dir, "regions"), filepath.Join(dir, "cache"), records{})
}

// newSnapshot imports a small disk: a boot record with one partition.
func newSnapshot(t *testing.T, r *Region, id disk.SnapshotID) {
	t.Helper()
	raw := make([]byte, 64<<10)
	raw[446+4] = 0x83
	binary.LittleEndian.PutUint32(raw[446+8:], 8)
	binary.LittleEndian.PutUint32(raw[446+12:], 100)
	raw[510], raw[511] = 0x55, 0xaa
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Disks.Import(context.Background(), id, path, ""); err != nil {
		t.Fatal(err)
	}
}

func ami(account, id string, snapshot disk.SnapshotID) ingot.AMI {
	return ingot.AMI{Scope: ingot.Scope{Account: account, Region: here}, ID: id, Snapshot: string(snapshot)}
}

func snapshots(t *testing.T, r *Region) (ids []disk.SnapshotID) {
	t.Helper()
	list, err := r.Disks.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestRegionNames(t *testing.T) {
	set := openTest(t)
	for _, name := range []string{"", "local", "us-east", "US-east-1", "../us-east-1", "us-east-1/..", "us-east-1\n", "a-b-1"} {
		if _, err := set.Region(name); ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("Region(%q) = %v, want CodeInvalid", name, err)
		}
	}
	for _, name := range []string{"us-gov-west-1", here, here} {
		if _, err := set.Region(name); err != nil {
			t.Errorf("Region(%q) = %v", name, err)
		}
	}
	names, err := set.Names()
	if d := cmp.Diff([]string{here, "us-gov-west-1"}, names); d != "" || err != nil {
		t.Errorf("Names: %v (-want +got):\n%s", err, d)
	}
}

// TestDeregister frees a snapshot with the last of its AMIs, whosever it is.
func TestDeregister(t *testing.T) {
	r, err := openTest(t).Region(here)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	snap := SnapshotID("shared")
	newSnapshot(t, r, snap)
	for _, a := range []ingot.AMI{ami(alice, "ami-1", snap), ami(bob, "ami-2", snap)} {
		if err := r.RegisterImage(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := r.amis.FindAMI(ctx, ingot.Scope{Account: alice, Region: here}, "ami-1"); err != nil || a.SizeBytes != 64<<10 {
		t.Errorf("FindAMI = %+v, %v, want the snapshot's size", a, err)
	}
	if err := r.Deregister(ctx, bob, "ami-1"); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("Deregister of another account's AMI = %v, want CodeNotFound", err)
	}
	if err := r.Deregister(ctx, alice, "ami-1"); err != nil || len(snapshots(t, r)) != 1 {
		t.Errorf("Deregister = %v, leaves %v: bob uses the snapshot", err, snapshots(t, r))
	}
	if err := r.Deregister(ctx, bob, "ami-2"); err != nil || len(snapshots(t, r)) != 0 {
		t.Errorf("Deregister = %v, leaves %v: nobody uses the snapshot", err, snapshots(t, r))
	}
}

// TestRetire keeps the snapshot of an AMI until nothing of it is left.
func TestRetire(t *testing.T) {
	r, err := openTest(t).Region(here)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	snap := SnapshotID("kept")
	newSnapshot(t, r, snap)
	if err := r.RegisterImage(ctx, ami(alice, "ami-1", snap)); err != nil {
		t.Fatal(err)
	}
	if err := r.Retire(ctx, alice, "ami-1"); err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context) ([]disk.SnapshotID, error) { return nil, nil }
	if swept, err := r.Sweep(ctx, nothing); err != nil || len(swept) > 0 {
		t.Errorf("Sweep = %v, %v, want the snapshot kept", swept, err)
	}
	if user, err := r.Free(ctx, snap); user != "ami-1" || err != nil || len(snapshots(t, r)) != 1 {
		t.Errorf("Free = %q, %v, leaves %v: what is left of ami-1 holds it", user, err, snapshots(t, r))
	}
	if err := r.Deregister(ctx, alice, "ami-1"); err != nil || len(snapshots(t, r)) != 0 {
		t.Errorf("Deregister = %v, leaves %v", err, snapshots(t, r))
	}
	if user, err := r.Free(ctx, snap); user != "" || err != nil {
		t.Errorf("Free of what is gone = %q, %v", user, err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	r, err := openTest(t).Region(here)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterImage(context.Background(), ami(alice, "ami-1", SnapshotID("none"))); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("RegisterImage without a snapshot = %v, want CodeNotFound", err)
	}
	elsewhere := ami(alice, "ami-1", SnapshotID("none"))
	elsewhere.Region = "eu-west-1"
	if err := r.RegisterImage(context.Background(), elsewhere); ingot.ErrorCode(err) != ingot.CodeInvalid {
		t.Errorf("RegisterImage of another region = %v, want CodeInvalid", err)
	}
}

func TestSweep(t *testing.T) {
	r, err := openTest(t).Region(here)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	registered, building, orphan, late := SnapshotID("a"), SnapshotID("b"), SnapshotID("c"), SnapshotID("d")
	for _, id := range []disk.SnapshotID{registered, building, orphan} {
		newSnapshot(t, r, id)
	}
	if err := r.RegisterImage(ctx, ami(bob, "ami-1", registered)); err != nil {
		t.Fatal(err)
	}
	swept, err := r.Sweep(ctx, func(context.Context) ([]disk.SnapshotID, error) {
		newSnapshot(t, r, late) // by a build that began after the list was made
		return []disk.SnapshotID{building}, nil
	})
	if d := cmp.Diff([]disk.SnapshotID{orphan}, swept); d != "" || err != nil {
		t.Errorf("Sweep: %v (-want +got):\n%s", err, d)
	}
	want := []disk.SnapshotID{registered, building, late}
	slices.Sort(want)
	if d := cmp.Diff(want, snapshots(t, r)); d != "" {
		t.Errorf("snapshots after Sweep (-want +got):\n%s", d)
	}
}

func TestIDs(t *testing.T) {
	form := regexp.MustCompile(`^(ami|snap|i)-[0-9a-f]{17}$`)
	ids := []string{
		AMIID("a", here, "s"), AMIID("a", "eu-west-1", "s"), AMIID("a"+here, "", "s"),
		InstanceID("a", "b"), InstanceID("ab"), InstanceID("", "ab"),
		string(SnapshotID("a", "b")), string(SnapshotID("ab")),
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if !form.MatchString(id) {
			t.Errorf("id %q has the wrong form", id)
		}
		if seen[id] {
			t.Errorf("id %q is derived from two lists", id)
		}
		seen[id] = true
	}
	// Ids are in the records of installations: they must never change.
	if got, want := AMIID("arn:aws:imagebuilder:us-east-1:111111111111:image/x/1.0.0/1", here, "snap-00000000000000001"), "ami-bd3977219aa53e075"; got != want {
		t.Errorf("AMIID = %s, want %s", got, want)
	}
	if _, err := disk.ParseSnapshotID(string(SnapshotID("a"))); err != nil {
		t.Error(err)
	}
}
