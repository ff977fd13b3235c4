// Package region is where images live. A region is a folder with a disk store,
// and the AMI records that name its snapshots; it exists from its first use.
//
//	DIR/REGION/         the region's snapshots (package disk)
//	CACHE/REGION/       its cached raw disks; may go at any time
//
// A snapshot lives as long as an AMI or a running build names it. Deregister
// deletes the record first and the snapshot after, so a crash between leaves a
// snapshot that nothing names: Sweep finds those.
package region

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
)

// namePattern is the form of a region's name. Source: api.md §1.2. The length
// is that of a folder's name at most.
var namePattern = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

const maxNameLength = 64

// Set is all regions of an installation. Its methods may be called concurrently.
type Set struct {
	dir, cacheDir string
	amis          ingot.AMIStore

	mu     sync.Mutex
	opened map[string]*Region
}

// Open returns the regions whose snapshots are under dir and whose caches are
// under cacheDir. No other process may have them open.
func Open(dir, cacheDir string, amis ingot.AMIStore) *Set {
	return &Set{dir: dir, cacheDir: cacheDir, amis: amis, opened: map[string]*Region{}}
}

// Region returns a region and makes it if there is none of that name. A name
// that breaks the form is CodeInvalid.
func (s *Set) Region(name string) (*Region, error) {
	if len(name) > maxNameLength || !namePattern.MatchString(name) {
		return nil, ingot.Errorf(ingot.CodeInvalid, "region %q must look like us-east-1 and have at most %d characters", name, maxNameLength)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.opened[name]; ok {
		return r, nil
	}
	disks, err := disk.Open(filepath.Join(s.dir, name), filepath.Join(s.cacheDir, name))
	if err != nil {
		return nil, fmt.Errorf("opening region %s: %w", name, err)
	}
	r := &Region{Name: name, Disks: disks, amis: s.amis}
	s.opened[name] = r
	return r, nil
}

// Opened are the regions that were used since the start, in no order.
func (s *Set) Opened() []*Region {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.opened))
}

// Names lists the regions that exist, in alphabetical order.
func (s *Set) Names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listing regions: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && namePattern.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Region is one region's snapshots and AMIs.
type Region struct {
	Name  string
	Disks *disk.Store

	amis ingot.AMIStore
	mu   sync.Mutex // an AMI is registered while no snapshot is being judged unused
}

// RegisterImage registers an AMI of this region, whose snapshot must exist
// (CodeNotFound); a size of 0 becomes the snapshot's. It is idempotent, as
// ingot.AMIStore says.
func (r *Region) RegisterImage(ctx context.Context, ami ingot.AMI) error {
	if ami.Region != r.Name {
		return ingot.Errorf(ingot.CodeInvalid, "registering %s: its region is %q, not %s", ami.ID, ami.Region, r.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	snap, err := r.Disks.Find(disk.SnapshotID(ami.Snapshot))
	if err != nil {
		return fmt.Errorf("registering %s: %w", ami.ID, err)
	}
	if ami.SizeBytes == 0 {
		ami.SizeBytes = snap.SizeBytes
	}
	return r.amis.RegisterAMI(ctx, ami)
}

// Deregister removes an AMI of an account, and its snapshot unless another AMI
// uses it. CodeNotFound if the account has no such AMI.
func (r *Region) Deregister(ctx context.Context, account, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ami, err := r.amis.DeleteAMI(ctx, ingot.Scope{Account: account, Region: r.Name}, id)
	if err != nil {
		return fmt.Errorf("deregistering %s: %w", id, err)
	}
	if _, err := r.free(ctx, disk.SnapshotID(ami.Snapshot)); err != nil {
		return fmt.Errorf("deregistering %s: %w", id, err)
	}
	return nil
}

// Retire deregisters an AMI and keeps its snapshot, which [Region.Deregister]
// can still remove with what is left of the AMI.
func (r *Region) Retire(ctx context.Context, account, id string) error {
	err := r.amis.UpdateAMI(ctx, ingot.Scope{Account: account, Region: r.Name}, id, func(a *ingot.AMI) { a.Deregistered = true })
	if err != nil {
		return fmt.Errorf("deregistering %s but for its snapshot: %w", id, err)
	}
	return nil
}

// Free deletes a snapshot unless an AMI uses it, whose id it returns. One that
// is not there is no error.
func (r *Region) Free(ctx context.Context, id disk.SnapshotID) (user string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.free(ctx, id)
}

func (r *Region) free(ctx context.Context, id disk.SnapshotID) (user string, err error) {
	users, err := r.amis.AMIsOfSnapshot(ctx, r.Name, string(id), 1)
	if err != nil {
		return "", err
	}
	if len(users) > 0 {
		return users[0].ID, nil
	}
	return "", r.Disks.Delete(ctx, id)
}

// Sweep deletes the snapshots that neither an AMI nor keep names, and returns
// them. It calls keep, which lists those of running builds, after it has looked
// what snapshots there are: one that a build makes meanwhile is safe.
func (r *Region) Sweep(ctx context.Context, keep func(context.Context) ([]disk.SnapshotID, error)) (swept []disk.SnapshotID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	snapshots, err := r.Disks.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweeping region %s: %w", r.Name, err)
	}
	// Builds before AMIs: a build that ends in between has registered its AMI by then.
	kept, err := keep(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweeping region %s: %w", r.Name, err)
	}
	used, err := r.used(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweeping region %s: %w", r.Name, err)
	}
	for _, id := range kept {
		used[id] = true
	}
	for _, s := range snapshots {
		if used[s.ID] {
			continue
		}
		if err := r.Disks.Delete(ctx, s.ID); err != nil {
			return swept, fmt.Errorf("sweeping region %s: %w", r.Name, err)
		}
		swept = append(swept, s.ID)
	}
	return swept, nil
}

// used is the set of snapshots that AMIs of any account name.
func (r *Region) used(ctx context.Context) (map[disk.SnapshotID]bool, error) {
	amis, err := r.amis.ListAMIs(ctx, ingot.Scope{Region: r.Name})
	if err != nil {
		return nil, err
	}
	used := map[disk.SnapshotID]bool{}
	for _, a := range amis {
		used[disk.SnapshotID(a.Snapshot)] = true
	}
	return used, nil
}
