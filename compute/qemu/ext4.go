package qemu

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"ingot.dev/ingot/disk"
)

// ext4 is a file system inside a raw disk, read and written by debugfs: no
// mount, no privileges. The disk may come from anybody, so names that go into
// debugfs commands are checked, and what comes out is bounded.
type ext4 struct {
	disk   string // path of the raw disk
	offset int64  // bytes
}

// maxDump bounds one file copied out of a guest, in bytes: the largest
// distribution kernels have 20 MB.
const maxDump = 128 << 20

// errNoExt4 says why a disk cannot be edited offline.
type errNoExt4 struct{ found string }

func (e errNoExt4) Error() string {
	return fmt.Sprintf("the root file system is %s; only ext4 can be read without a mount", e.found)
}

// findRoot finds the root file system of a raw disk, and its partition's number.
func findRoot(path string) (ext4, disk.Partition, error) {
	layout, err := disk.Inspect(path)
	if err != nil {
		return ext4{}, disk.Partition{}, err
	}
	if layout.Root < 0 {
		return ext4{}, disk.Partition{}, errNoExt4{"not found"}
	}
	p := layout.Partitions[layout.Root]
	switch p.FileSystem {
	case "ext2", "ext3", "ext4":
		return ext4{disk: path, offset: p.Offset}, p, nil
	case "":
		return ext4{}, p, errNoExt4{"of an unknown kind"}
	}
	return ext4{}, p, errNoExt4{p.FileSystem}
}

// entry is a name in a folder.
type entry struct {
	name string
	size int64 // bytes, of regular files
}

// list returns the entries of a folder, or none if it is not there.
func (e ext4) list(ctx context.Context, dir string) ([]entry, error) {
	out, err := e.run(ctx, false, []string{"ls -p " + dir})
	if err != nil {
		return nil, fmt.Errorf("listing %s of %s: %w", dir, e.disk, err)
	}
	return parseList(out), nil
}

// parseList reads lines of the form /INODE/MODE/UID/GID/NAME/SIZE/.
func parseList(out string) []entry {
	var all []entry
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "/")
		if len(f) != 8 || f[0] != "" || !safeName.MatchString(f[5]) || f[5] == "." || f[5] == ".." {
			continue
		}
		size, err := strconv.ParseInt(f[6], 10, 64)
		if err != nil {
			size = 0 // a folder has none
		}
		all = append(all, entry{name: f[5], size: size})
	}
	return all
}

// safeName are the names that need no quotes in a debugfs command; kernels and
// modules have no others.
var (
	safeName = regexp.MustCompile(`^[A-Za-z0-9._+:@-]{1,255}$`)
	safePath = regexp.MustCompile(`^[A-Za-z0-9._+:@/-]+$`)
)

// copyFile is a file to copy out: from in the guest, to on the host.
type copyFile struct{ from, to string }

// dump copies files out. One that is not there, or empty, is an error.
func (e ext4) dump(ctx context.Context, files []copyFile) error {
	commands := make([]string, len(files))
	for i, f := range files {
		if !safePath.MatchString(f.from) {
			return fmt.Errorf("copying %q out of %s: its name has characters that no kernel file has", f.from, e.disk)
		}
		commands[i] = "dump " + f.from + " " + quote(f.to)
	}
	out, err := e.run(ctx, false, commands)
	if err != nil {
		return fmt.Errorf("copying files out of %s: %w", e.disk, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f.to); err != nil || info.Size() == 0 {
			return fmt.Errorf("copying %s out of %s: debugfs: %s", f.from, e.disk, complaint(out))
		}
	}
	return nil
}

// run gives commands to debugfs and returns what it printed. Its exit status
// says nothing about single commands: callers look at their effect.
func (e ext4) run(ctx context.Context, write bool, commands []string) (string, error) {
	if strings.Contains(e.disk, "?") {
		return "", fmt.Errorf("the path %q has a question mark, which debugfs takes for an option", e.disk)
	}
	// A file of the guest may claim any size. When writing the limit would count
	// for the disk itself.
	args := []string{"--fsize=" + strconv.Itoa(maxDump), "debugfs", "-f", "-"}
	if write {
		args = []string{"--fsize=unlimited", "debugfs", "-w", "-f", "-"}
	}
	cmd := exec.CommandContext(ctx, "prlimit", append(args, e.name())...)
	cmd.Env = toolEnv()
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("debugfs is missing (apt-get install e2fsprogs util-linux): %w", err)
	}
	if err != nil {
		return "", fmt.Errorf("debugfs: %w: %s", errors.Join(err, ctx.Err()), complaint(out.String()))
	}
	return out.String(), nil
}

// replay brings a file system in order that was not unmounted: a journal that
// is replayed later would undo what debugfs writes.
//
// e2fsck 1.47.0 replays the journal of a file system at an offset, then opens it
// again without the offset and gives up. What is left to do is to clear the bit
// and check the whole, which fails if the replay did.
func (e ext4) replay(ctx context.Context) error {
	dirty, err := e.needsReplay()
	if err != nil || !dirty {
		return err
	}
	_ = e.check(ctx, "-p")
	if dirty, err = e.needsReplay(); err != nil {
		return err
	}
	if dirty {
		if _, err := e.run(ctx, true, []string{"feature ^needs_recovery"}); err != nil {
			return err
		}
	}
	if err := e.check(ctx, "-fp"); err != nil {
		return fmt.Errorf("replaying the journal of %s: %w", e.disk, err)
	}
	return nil
}

// check runs e2fsck, which may correct what is safe to correct.
func (e ext4) check(ctx context.Context, options string) error {
	cmd := exec.CommandContext(ctx, "prlimit", "e2fsck", options, e.name())
	cmd.Env = toolEnv()
	out, err := cmd.CombinedOutput()
	const corrected = 1 // e2fsck(8): 0 and 1 are good ends
	if err == nil || cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == corrected {
		return nil
	}
	return fmt.Errorf("e2fsck: %w: %s", errors.Join(err, ctx.Err()), lastLine(string(out), err))
}

// needsReplay reads the "recover" bit of the superblock's incompatible
// features, which lie at its byte 96.
func (e ext4) needsReplay() (bool, error) {
	const superblock, features, recover = 1024, 96, 0x4
	f, err := os.Open(e.disk)
	if err != nil {
		return false, err
	}
	defer f.Close()
	word := make([]byte, 4)
	if _, err := f.ReadAt(word, e.offset+superblock+features); err != nil {
		return false, fmt.Errorf("reading the superblock of %s: %w", e.disk, err)
	}
	return binary.LittleEndian.Uint32(word)&recover != 0, nil
}

// name is how e2fsprogs call a file system inside a file.
func (e ext4) name() string { return e.disk + "?offset=" + strconv.FormatInt(e.offset, 10) }

// toolEnv is for e2fsprogs: users other than root often lack their folder.
func toolEnv() []string {
	return append(os.Environ(), "LC_ALL=C", "DEBUGFS_PAGER=cat", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
}

// complaint is the first line that is not an echo of a command or the banner.
func complaint(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "debugfs: ") && !strings.HasPrefix(line, "debugfs 1.") {
			return line
		}
	}
	return "no message"
}

// quote protects a host path in a debugfs command, where a doubled quote is one.
func quote(path string) string {
	return `"` + strings.ReplaceAll(path, `"`, `""`) + `"`
}

// scratch makes a folder for files on their way, below dir.
func scratch(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return path, os.Mkdir(path, 0o700)
}
