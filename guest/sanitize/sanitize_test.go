//go:build linux

package sanitize

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes files below a new root; a name that ends in "/" is a folder.
func tree(t testing.TB, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else if err == nil {
			err = os.WriteFile(path, []byte("secret of "+name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// files lists what is below root, folders aside.
func files(t *testing.T, root string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func run(t testing.TB, root, work string) (lines []string, err error) {
	t.Helper()
	err = Run(t.Context(), Options{Root: root, WorkingDirectory: work}, func(line string) { lines = append(lines, line) })
	return lines, err
}

// listed are files of every section, by the skip file that keeps them.
var listed = map[string][]string{
	"skip_cleanup_cloudinit_files": {
		"/etc/sudoers.d/90-cloud-init-users", "/etc/locale.conf", "/var/log/cloud-init.log",
		"/var/log/cloud-init-output.log", "/var/lib/cloud/instance/user-data.txt",
	},
	"skip_cleanup_instance_files": {
		"/etc/.updated", "/etc/aliases.db", "/etc/hostname", "/var/lib/misc/postfix.aliasesdb-stamp",
		"/var/lib/postfix/master.lock", "/var/spool/postfix/pid/master.pid", "/var/.updated",
		"/var/cache/yum/x86_64/2/.gpgkeyschecked.yum",
	},
	"skip_cleanup_ssh_files": {
		"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub", "/etc/ssh/ssh_host_ecdsa_key",
		"/etc/ssh/ssh_host_ecdsa_key.pub", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub",
		"/root/.ssh/authorized_keys", "/home/ops/.ssh/authorized_keys",
	},
	"skip_cleanup_instance_log_files": {
		"/var/log/audit/audit.log", "/var/log/boot.log", "/var/log/dmesg", "/var/log/cron",
	},
	"skip_cleanup_toe_files":     {"/work/TOE_2026-11-21_08-00-00_UTC-0_x/console.log", "/var/lib/amazon/toe/TOE_x/console.log"},
	"skip_cleanup_ssm_log_files": {"/var/log/amazon/ssm/agent.log"},
	"skip_cleanup_extra_files": {
		"/etc/netplan/50-cloud-init.yaml", "/var/lib/dhcp/dhclient.eth0.leases", "/var/lib/NetworkManager/x.lease",
		"/root/.bash_history", "/home/ops/.bash_history", "/var/cache/apt/archives/a.deb", "/var/cache/dnf/x/y",
	},
	"": { // always
		"/var/log/sa/sa01", "/var/lib/dhclient/dhclient-eth0.lease", "/var/tmp/x", "/var/tmp/deep/y",
		"/var/lib/systemd/random-seed", "/var/lib/rsyslog/imjournal.state", "/var/log/journal/id/system.journal",
		"/tmp/imagebuilder_service/ssm_installed",
	},
}

// staying are files of nobody's list.
var staying = []string{"/etc/passwd", "/home/ops/.bashrc", "/root/.ssh/known_hosts", "/var/lib/dpkg/status", "/var/log/dpkg.log"}

func everything() []string {
	all := slices.Clone(staying)
	for _, names := range listed {
		all = append(all, names...)
	}
	return all
}

func TestRunRemovesWhatIsListed(t *testing.T) {
	root := tree(t, append(everything(), "/etc/machine-id", "/var/lib/dbus/machine-id", "/work/perform_cleanup")...)
	if _, err := run(t, root, "/work"); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(staying), "/etc/machine-id", "/var/lib/dbus/machine-id")
	slices.Sort(want)
	got := files(t, root)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	for _, name := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if info, err := os.Stat(filepath.Join(root, name)); err != nil || info.Size() != 0 {
			t.Errorf("%s is not empty (%v)", name, err)
		}
	}
	for _, kept := range []string{"/var/tmp", "/var/lib/cloud", "/var/log/journal"} {
		if _, err := os.Stat(filepath.Join(root, kept)); err != nil {
			t.Errorf("the folder itself should stay: %v", err)
		}
	}
}

func TestSkipFilesKeepTheirSection(t *testing.T) {
	for skip := range listed {
		if skip == "" {
			continue
		}
		t.Run(skip, func(t *testing.T) {
			root := tree(t, append(everything(), "/work/"+skip, "/work/perform_cleanup")...)
			if _, err := run(t, root, "/work"); err != nil {
				t.Fatal(err)
			}
			for section, names := range listed {
				for _, name := range names {
					_, err := os.Stat(filepath.Join(root, name))
					if kept := err == nil; kept != (section == skip) {
						t.Errorf("%s is there: %t, want %t", name, kept, section == skip)
					}
				}
			}
		})
	}
}

func TestSkipFileWithExtensionIsNone(t *testing.T) {
	root := tree(t, "/etc/hostname", "/work/skip_cleanup_instance_files.txt", "/work/perform_cleanup")
	if _, err := run(t, root, "/work"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "/etc/hostname")); err == nil {
		t.Error("a skip file with an extension kept its section")
	}
}

func TestWithoutMarkerNothingHappens(t *testing.T) {
	root := tree(t, everything()...)
	before := files(t, root)
	lines, err := run(t, root, "/work")
	if err != nil || !slices.Equal(lines, []string{Skipped}) {
		t.Errorf("Run = %v, %v; want only %q", lines, err, Skipped)
	}
	if diff := cmp.Diff(before, files(t, root)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

func TestMarkerGoesFirst(t *testing.T) {
	root := tree(t, "/tmp/perform_cleanup", "/etc/")
	for _, want := range []bool{true, false} {
		lines, err := run(t, root, "")
		if err != nil || !slices.Contains(lines, Skipped) != want {
			t.Errorf("Run = %v, %v; cleaned up: want %t", lines, err, want)
		}
	}
}

// TestLinksAreNotFollowed: what a link or a second name leads to stays whole.
func TestLinksAreNotFollowed(t *testing.T) {
	root := tree(t, "/work/perform_cleanup", "/srv/data", "/srv/shared", "/var/tmp/", "/var/log/", "/etc/")
	precious, shared := filepath.Join(root, "srv/data"), filepath.Join(root, "srv/shared")
	for name, link := range map[string]func(string) error{
		"var/tmp/link":      func(p string) error { return os.Symlink(precious, p) },
		"var/log/boot.log":  func(p string) error { return os.Symlink(precious, p) },
		"var/tmp/hard":      func(p string) error { return os.Link(shared, p) },
		"etc/hostname":      func(p string) error { return os.Symlink("/nowhere", p) },
		"var/tmp/directory": func(p string) error { return os.Symlink(filepath.Join(root, "srv"), p) },
	} {
		if err := link(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run(t, root, "/work"); err != nil {
		t.Fatal(err)
	}
	for path, name := range map[string]string{precious: "/srv/data", shared: "/srv/shared"} {
		if data, err := os.ReadFile(path); err != nil || string(data) != "secret of "+name {
			t.Errorf("%s holds %q (%v)", name, data, err)
		}
	}
	if got := files(t, root); len(got) != 3 { // both, and a new machine-id
		t.Errorf("left are %v", got)
	}
}

// TestShredOverwrites: another name of the data shows what was written over it.
func TestShredOverwrites(t *testing.T) {
	root := tree(t, "/var/log/dmesg")
	path := filepath.Join(root, "var/log/dmesg")
	open, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	c := &cleaner{ctx: t.Context(), root: root, emit: func(string) {}}
	c.shred("/var/log/dmesg")
	got := make([]byte, 100)
	n, _ := open.Read(got) // io.EOF after the content
	if want := make([]byte, len("secret of /var/log/dmesg")); !slices.Equal(got[:n], want) {
		t.Errorf("the file held %q before it went, want zeros", got[:n])
	}
	if len(c.errs) > 0 {
		t.Error(c.errs)
	}
}

func TestWhatCannotBeRemovedIsAnError(t *testing.T) {
	root := tree(t, "/work/perform_cleanup", "/var/log/dmesg", "/var/log/cron")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Run(ctx, Options{Root: root, WorkingDirectory: "/work"}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "/var/log/dmesg") || !strings.Contains(err.Error(), "/var/log/cron") {
		t.Errorf("Run = %v, want an error that names both files", err)
	}
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		names := append(everything(), "/work/perform_cleanup")
		for i := range 500 {
			names = append(names, fmt.Sprintf("/var/tmp/%d/f", i))
		}
		root := tree(b, names...)
		b.StartTimer()
		if _, err := run(b, root, "/work"); err != nil {
			b.Fatal(err)
		}
	}
}
