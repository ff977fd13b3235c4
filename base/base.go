// Package base makes the disks that everything else is built from: it
// bootstraps Debian from its packages, downloads a distribution's cloud image,
// or takes a disk that is there.
//
// A bootstrap needs no privileges, mounts, loop devices or chroot of ours:
//
//	mmdebstrap   packages → tar of the root file system        (bootstrap.go)
//	extract      tar → tree; owners are kept aside             (tree.go)
//	mkfs.ext4    tree → root partition, then debugfs: owners   (ext4.go)
//	mkfs.vfat    GRUB for UEFI → EFI system partition          (esp.go)
//	GPT, GRUB    partition table, GRUB for BIOS                (gpt.go, grub.go)
//
// What the image holds beyond its packages is in rootfs/. The same date and
// the same packages give the same bytes.
package base

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
)

// DefaultSize is the size of a bootstrapped disk in bytes; its root partition
// grows at boot when the volume is larger.
const DefaultSize = 4 << 30

// Recipe says what to bootstrap.
type Recipe struct {
	Name     string   // of the base: debian-12-x86
	Suite    string   // of the Debian archive: bookworm
	Packages []string // beside the ones that every base has
}

// Options say where a base goes.
type Options struct {
	Out      string    // path of the raw disk; it appears when it is complete
	Date     time.Time // of the image: every timestamp in it; zero means today, 0:00 UTC
	Size     int64     // bytes, a multiple of 1 MiB; zero means DefaultSize
	Progress io.Writer // one line per step; nil discards them
}

// Build bootstraps r into a raw disk that boots by BIOS and by UEFI. When it
// ends, however it does, nothing is left but Out, and that only if it is whole.
func Build(ctx context.Context, r Recipe, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	if err := checkTools(); err != nil {
		return err
	}
	work, unlock, err := lockWork(o.Out)
	if err != nil {
		return fmt.Errorf("building %s: %w", r.Name, err)
	}
	b := &builder{Recipe: r, Options: o, work: work, ids: newIdentity(r.Name, o.Date)}
	start := time.Now()
	err = errors.Join(b.run(ctx), removeTree(work), unlock())
	if err != nil {
		return fmt.Errorf("building %s: %w", r.Name, err)
	}
	b.say("%s is ready after %.0f s", o.Out, time.Since(start).Seconds())
	return nil
}

func (o *Options) complete() error {
	if o.Size == 0 {
		o.Size = DefaultSize
	}
	if o.Size%mib != 0 || o.Size < 2<<30 {
		return ingot.Errorf(ingot.CodeInvalid, "disk size %d: must be a multiple of 1 MiB, 2 GiB at least", o.Size)
	}
	if o.Date.IsZero() {
		o.Date = time.Now()
	}
	o.Date = o.Date.UTC().Truncate(24 * time.Hour)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	var err error
	o.Out, err = filepath.Abs(o.Out)
	return err
}

// builder is one bootstrap under way.
type builder struct {
	Recipe
	Options
	work string // directory of its temporary files, beside Out
	ids  identity
}

func (b *builder) run(ctx context.Context) error {
	t, err := b.bootstrap(ctx)
	if err != nil {
		return err
	}
	raw := b.path("disk.raw")
	layout := newLayout(b.Size)
	b.say("writing a disk of %d MiB", b.Size/mib)
	if err := b.writeRoot(ctx, raw, layout.root, t); err != nil {
		return err
	}
	if err := b.writeESP(ctx, raw, layout.esp); err != nil {
		return err
	}
	if err := layout.write(raw, b.ids); err != nil {
		return err
	}
	if err := b.writeBIOSLoader(ctx, raw, layout.bios); err != nil {
		return err
	}
	return publish(raw, b.Out)
}

func (b *builder) path(name string) string { return filepath.Join(b.work, name) }

func (b *builder) say(format string, args ...any) {
	fmt.Fprintf(b.Progress, format+"\n", args...)
}

// publish gives a finished file its name. It is on stable storage before.
func publish(path, out string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("finishing %s: %w", out, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("finishing %s: %w", out, err)
	}
	return os.Rename(path, out)
}

// lockWork makes the work directory of an output. It is beside it, and there is
// one, so that the next build finds and removes what a killed one left.
func lockWork(out string) (dir string, unlock func() error, err error) {
	dir = filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".work")
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("making a work directory: %w", err)
	}
	unlock = func() error { return errors.Join(os.Remove(lock.Name()), lock.Close()) }
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return "", nil, errors.Join(ingot.Errorf(ingot.CodeInUse, "another build writes %s: %w", out, err), lock.Close())
	}
	if err := removeTree(dir); err != nil {
		return "", nil, errors.Join(fmt.Errorf("removing what an earlier build left: %w", err), unlock())
	}
	// Others may pass through: without privileges the hooks of mmdebstrap run as somebody else.
	if err := os.Mkdir(dir, 0o711); err != nil {
		return "", nil, errors.Join(fmt.Errorf("making a work directory: %w", err), unlock())
	}
	return dir, unlock, nil
}

// removeTree removes a work directory in which a bootstrap without privileges
// may have left directories that their owner may not write to.
func removeTree(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// identity is every identifier in a disk. It follows from name and date, so
// that the same base made twice is the same.
type identity struct {
	disk, bios, esp, root uuid.UUID // GPT: the disk and its partitions
	rootFS                uuid.UUID
	espSerial             string // FAT volume id, 8 hex digits
}

func newIdentity(name string, date time.Time) identity {
	id := func(part string) uuid.UUID {
		return uuid.NewSHA1(uuid.NameSpaceURL, []byte("ingot:base/"+name+"/"+date.Format(time.DateOnly)+"/"+part))
	}
	return identity{
		disk: id("disk"), bios: id("bios"), esp: id("esp"), root: id("root"), rootFS: id("rootfs"),
		espSerial: strings.ToUpper(id("fat").String()[:8]),
	}
}
