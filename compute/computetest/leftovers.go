package computetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// Leftovers lists what the host has of a driver: processes that name one of its
// folders, mounts and loop devices in them, cgroups, interfaces and packet
// filter tables with its tag. Files are the folders' own business.
func Leftovers(t testing.TB, tag string, dirs ...string) []string {
	t.Helper()
	var list []string
	add := func(kind, text string) { list = append(list, kind+" "+text) }
	for pid, cmdline := range processes(t) {
		if containsAny(cmdline, dirs) {
			add("process", pid+": "+cmdline)
		}
	}
	for line := range strings.Lines(readText(t, "/proc/self/mountinfo")) {
		if containsAny(line, dirs) {
			add("mount", strings.TrimSpace(line))
		}
	}
	for _, f := range glob(t, "/sys/block/loop*/loop/backing_file") {
		text, err := os.ReadFile(f)
		if err == nil && containsAny(string(text), dirs) { // it may just have been cleared
			add("loop", f+" "+strings.TrimSpace(string(text)))
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*"} {
		for _, f := range glob(t, pattern) {
			if strings.Contains(filepath.Base(f), "-"+tag+"-") {
				add("cgroup", f)
			}
		}
	}
	return append(list, networkLeftovers(t, tag)...)
}

func networkLeftovers(t testing.TB, tag string) []string {
	t.Helper()
	var list []string
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.Contains(l.Attrs().Alias, "-"+tag+"-") {
			list = append(list, "interface "+l.Attrs().Name)
		}
	}
	if os.Geteuid() != 0 {
		return list
	}
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := c.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if strings.Contains(table.Name, "-"+tag+"-") {
			list = append(list, "nftables "+table.Name)
		}
	}
	return list
}

// processes are the command lines of this host, this process aside.
func processes(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range glob(t, "/proc/[0-9]*/cmdline") {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		pid := filepath.Base(filepath.Dir(f))
		all[pid] = strings.ReplaceAll(string(text), "\x00", " ")
	}
	return all
}

// Files lists what is in a folder.
func Files(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readText(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func containsAny(text string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
