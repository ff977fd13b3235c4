package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limits bound a guest.
type limits struct {
	cpus      int
	memoryMiB int
	pids      int
}

// hierarchies are the cgroup trees of a host. Controllers sit in the unified
// one, or one by one in trees of the first version beside it.
type hierarchies struct {
	unified string
	v1      map[string]string // controller to folder
}

// findHierarchies reads a mountinfo file. Source: proc_pid_mountinfo(5).
func findHierarchies(mountinfo string) (hierarchies, error) {
	h := hierarchies{v1: map[string]string{}}
	f, err := os.Open(mountinfo)
	if err != nil {
		return h, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 3 {
			continue
		}
		switch right[0] {
		case "cgroup2":
			if h.unified == "" {
				h.unified = left[4]
			}
		case "cgroup":
			for option := range strings.SplitSeq(right[2], ",") {
				h.v1[option] = left[4]
			}
		}
	}
	if err := lines.Err(); err != nil {
		return h, err
	}
	if h.unified == "" {
		return h, errors.New("no cgroup2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
	}
	return h, nil
}

// cgroup is one guest's: a folder in the unified tree that the guest's root
// may divide further, and folders for limits in other trees.
type cgroup struct {
	unified string
	v1      []string
}

// limit is one bound in both dialects: file and value.
type limit struct {
	controller     string
	file, value    string
	v1file, v1text string
}

func (l limits) list() []limit {
	const period = 100_000 // microseconds of wall time that a quota is for
	bytes := strconv.FormatInt(int64(l.memoryMiB)<<20, 10)
	quota := strconv.Itoa(l.cpus * period)
	pids := strconv.Itoa(l.pids)
	return []limit{
		{"memory", "memory.max", bytes, "memory.limit_in_bytes", bytes},
		{"cpu", "cpu.max", fmt.Sprintf("%s %d", quota, period), "cpu.cfs_quota_us", quota},
		{"pids", "pids.max", pids, "pids.max", pids},
	}
}

// makeCgroup makes and limits a cgroup whose unified folder belongs to owner.
func makeCgroup(h hierarchies, name string, l limits, owner int) (_ *cgroup, err error) {
	c := &cgroup{unified: filepath.Join(h.unified, name)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("making cgroup %s: %w", name, errors.Join(err, c.remove(context.Background())))
		}
	}()
	if err := enable(h.unified); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.unified, 0o755); err != nil {
		return nil, err
	}
	for _, b := range l.list() {
		if err := c.apply(h, name, b); err != nil {
			return nil, err
		}
	}
	// The guest's init divides its own tree; the limits stay the host's.
	for _, f := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
		if err := os.Chown(filepath.Join(c.unified, f), owner, owner); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// enable hands the controllers that the unified tree has to its children.
func enable(unified string) error {
	have, err := os.ReadFile(filepath.Join(unified, "cgroup.controllers"))
	if err != nil {
		return err
	}
	control := filepath.Join(unified, "cgroup.subtree_control")
	for _, c := range []string{"memory", "cpu", "pids"} {
		if !slices.Contains(strings.Fields(string(have)), c) {
			continue
		}
		err := os.WriteFile(control, []byte("+"+c), 0)
		if errors.Is(err, unix.EBUSY) {
			// Not the root of the host: a cgroup with processes cannot hand controllers on.
			if err = moveAside(unified); err == nil {
				err = os.WriteFile(control, []byte("+"+c), 0)
			}
		}
		if err != nil {
			return fmt.Errorf("enabling the %s controller: %w", c, err)
		}
	}
	return nil
}

// moveAside puts the processes of a cgroup into a child of it.
func moveAside(dir string) error {
	child := filepath.Join(dir, "init")
	if err := os.MkdirAll(child, 0o755); err != nil {
		return err
	}
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(procs)) {
		err := os.WriteFile(filepath.Join(child, "cgroup.procs"), []byte(pid), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
			return fmt.Errorf("moving process %s: %w", pid, err)
		}
	}
	return nil
}

// apply sets one limit, where its controller is.
func (c *cgroup) apply(h hierarchies, name string, l limit) error {
	file := filepath.Join(c.unified, l.file)
	if _, err := os.Stat(file); err == nil {
		return os.WriteFile(file, []byte(l.value), 0)
	}
	tree, ok := h.v1[l.controller]
	if !ok {
		return fmt.Errorf("this host has no %s controller", l.controller)
	}
	dir := filepath.Join(tree, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if !slices.Contains(c.v1, dir) {
		c.v1 = append(c.v1, dir)
	}
	return os.WriteFile(filepath.Join(dir, l.v1file), []byte(l.v1text), 0)
}

// add puts a process into the trees that it was not cloned into.
func (c *cgroup) add(pid int) error {
	for _, dir := range c.v1 {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("limiting process %d: %w", pid, err)
		}
	}
	return nil
}

// kill ends every process of the guest.
func (c *cgroup) kill() error {
	err := os.WriteFile(filepath.Join(c.unified, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// remove kills what is in the cgroup and removes its folders.
func (c *cgroup) remove(ctx context.Context) error {
	if err := c.kill(); err != nil {
		return fmt.Errorf("killing cgroup %s: %w", c.unified, err)
	}
	var errs []error
	for _, dir := range append([]string{c.unified}, c.v1...) {
		errs = append(errs, removeTree(ctx, dir))
	}
	return errors.Join(errs...)
}

// removeTree removes a cgroup and those below it, waiting while the kernel
// still buries their processes.
func removeTree(ctx context.Context, dir string) error {
	for {
		err := removeOnce(dir)
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("removing cgroup %s: %w", dir, errors.Join(context.Cause(ctx), err))
		}
	}
}

// removeOnce goes down first: only folders can be removed, children before parents.
func removeOnce(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeOnce(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return ignoreMissing(unix.Rmdir(dir))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
