package base

import (
	"archive/tar"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// rootfs is laid over what the packages bring. Its files are root's, 0644.
//
//go:embed all:rootfs
var rootfs embed.FS

// packages are what people expect of a cloud image, and no more: every unit
// costs time at each boot of each build instance. GRUB is not among them: its
// configuration follows the kernel links and is never generated in the image.
var packages = []string{
	"bash-completion", "ca-certificates", "cloud-guest-utils", "cloud-init", "curl", "dbus", "e2fsprogs", "fdisk",
	"initramfs-tools", "iproute2", "iputils-ping", "kmod", "less", "libpam-systemd", "linux-image-cloud-amd64",
	"logrotate", "netbase", "openssh-server", "procps", "sudo", "systemd-resolved", "systemd-sysv",
	"systemd-timesyncd", "tzdata", "udev", "vim-tiny", "wget",
}

// In a build instance cloud-init must neither wait nor configure anything. That
// takes no change to the image: `cloud-init=disabled` on the kernel's command
// line (in a container: among the arguments of PID 1, which its generator reads
// there) leaves all its units out. Without a datasource ds-identify comes to the
// same end after running some shell scripts. Only systemd-remount-fs.service
// fails in a user namespace; the runner masks it in /run.

// enabled are the units that neither a package nor a preset turns on.
var enabled = []string{"systemd-networkd.service", "systemd-resolved.service", "ssh-host-keys.service"}

// aptSources are those of Debian's own cloud images. Packages are signed, so
// http loses nothing and works behind every caching proxy.
func aptSources(suite string) string {
	const stanza = `Types: deb
URIs: http://deb.debian.org/%s
Suites: %s
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`
	return fmt.Sprintf(stanza, "debian", suite+" "+suite+"-updates") + "\n" + fmt.Sprintf(stanza, "debian-security", suite+"-security")
}

// fstab marks the root for growth. It has no swap and no EFI system partition:
// nothing in the image writes to the latter.
func fstab(ids identity) string {
	return fmt.Sprintf("UUID=%s / ext4 defaults,discard,errors=remount-ro,x-systemd.growfs 0 1\n", ids.rootFS)
}

// bootstrap makes the tree of the root file system in the work directory.
func (b *builder) bootstrap(ctx context.Context) (tree, error) {
	for name, data := range map[string]string{"debian.sources": aptSources(b.Suite), "fstab": fstab(b.ids)} {
		if err := os.WriteFile(b.path(name), []byte(data), 0o644); err != nil {
			return tree{}, fmt.Errorf("preparing the bootstrap: %w", err)
		}
	}
	var overlay bytes.Buffer
	if err := writeOverlay(&overlay, b.overlay(), b.Date.Unix()); err != nil {
		return tree{}, fmt.Errorf("preparing the bootstrap: %w", err)
	}
	if err := os.WriteFile(b.path("overlay.tar"), overlay.Bytes(), 0o644); err != nil {
		return tree{}, fmt.Errorf("preparing the bootstrap: %w", err)
	}
	b.say("bootstrapping Debian %s from its packages", b.Suite)
	return b.mmdebstrap(ctx)
}

// overlay is every file we add, by path.
func (b *builder) overlay() map[string][]byte {
	files := map[string][]byte{
		"boot/grub/grub.cfg":                    []byte(grubConfig(b.ids)),
		"etc/apt/sources.list.d/debian.sources": []byte(aptSources(b.Suite)),
	}
	err := fs.WalkDir(rootfs, "rootfs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := rootfs.ReadFile(path)
		files[strings.TrimPrefix(path, "rootfs/")] = data
		return err
	})
	if err != nil {
		panic(err) // embedded files can be read
	}
	return files
}

// mmdebstrapArgs is the whole bootstrap: a tar on standard output.
func (b *builder) mmdebstrapArgs() []string {
	include := append(slices.Clone(packages), b.Packages...)
	slices.Sort(include)
	return []string{
		"--mode=auto", "--variant=minbase", "--format=tar",
		"--include=" + strings.Join(include, ","),
		`--aptopt=Acquire::Languages "none"`,
		// The tree is thrown away after a crash: dpkg need not wait for the disk.
		"--dpkgopt=force-unsafe-io",
		// Before the kernel: the initrd gets the fsck of the file systems in fstab.
		"--essential-hook=upload fstab /etc/fstab",
		// mmdebstrap's own copy of the sources has another name.
		`--customize-hook=rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*`,
		"--customize-hook=tar-in overlay.tar /",
		`--customize-hook=chroot "$1" systemctl --quiet enable ` + strings.Join(enabled, " "),
		`--customize-hook=rm -f "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap`,
		// Secrets are made at the first boot of each machine, by cloud-init or ssh-host-keys.service.
		`--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*`,
		`--customize-hook=rm -f "$1"/vmlinuz.old "$1"/initrd.img.old`,
		`--customize-hook=: > "$1"/etc/machine-id`,
		b.Suite, "-", "debian.sources",
	}
}

// mmdebstrap runs the bootstrap and unpacks its tar while it comes.
func (b *builder) mmdebstrap(ctx context.Context) (tree, error) {
	cmd := b.command(ctx, "mmdebstrap", b.mmdebstrapArgs()...)
	tail := &lastLine{to: b.Progress}
	cmd.Stderr = tail
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return tree{}, err
	}
	if err := cmd.Start(); err != nil {
		return tree{}, fmt.Errorf("starting mmdebstrap: %w", err)
	}
	t, unpackErr := unpack(stdout, b.path("root"))
	// A tar reader stops at the end mark; what follows must be read for mmdebstrap to end.
	_, drainErr := io.Copy(io.Discard, stdout)
	if err := cmd.Wait(); err != nil {
		return tree{}, toolError(ctx, "mmdebstrap", err, tail.line)
	}
	// Whose these are depends on whether apt's own user could enter the work
	// directory; apt gives them to that user when it needs them.
	for _, dir := range []string{"/var/lib/apt/lists/partial", "/var/cache/apt/archives/partial"} {
		delete(t.owners, dir)
	}
	return t, errors.Join(unpackErr, drainErr)
}

// lastLine passes on lines and remembers the last one that says something of its own.
type lastLine struct {
	to      io.Writer
	partial []byte
	line    string
}

func (l *lastLine) Write(p []byte) (int, error) {
	l.partial = append(l.partial, p...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.partial = rest
		if text := strings.TrimSpace(string(line)); text != "" {
			l.line = text
			fmt.Fprintln(l.to, text)
		}
	}
}

// writeOverlay writes files as a tar, with the directories they need.
func writeOverlay(w io.Writer, files map[string][]byte, epoch int64) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	tw := tar.NewWriter(w)
	for _, name := range names {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), ModTime: unixTime(epoch), Format: tar.FormatUSTAR}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(files[name]); err != nil {
			return err
		}
	}
	return tw.Close()
}
