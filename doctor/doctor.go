// Package doctor examines a host: what of Ingot works here, what is missing,
// and the command that installs it. It asks by doing: a probe guest for KVM, a
// real set of namespaces for containers, a file written for the disk.
package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
)

// Report is the state of a host.
type Report struct {
	// OK says that builds can run: there is room, qemu-img, and a place for instances.
	OK    bool   `json:"ok"`
	Parts []Part `json:"parts"`
	// Install is one command for all missing packages; empty when none is missing.
	Install string `json:"install,omitempty"`
}

// Part is one ability of a host.
type Part struct {
	Name    string            `json:"name"`
	Purpose string            `json:"purpose"`
	OK      bool              `json:"ok"`
	Checks  []compute.Finding `json:"checks"`
}

// Host is what to examine.
type Host struct {
	Data    string           // the data directory; it need not exist yet
	Drivers []compute.Driver // one that works is enough
	Mirror  string           // host:port that a build reaches; empty leaves the network out
}

// purposes tell what the drivers are for.
var purposes = map[string]string{
	compute.KindContainer: "building and testing in system containers",
	compute.KindQEMU:      "building and testing in virtual machines, boot checks",
}

// Examine looks at everything. It takes some seconds where something hangs.
func (h Host) Examine(ctx context.Context) Report {
	var r Report
	instances := false
	for _, d := range h.Drivers {
		probe := d.Probe(ctx)
		instances = instances || probe.OK
		r.Parts = append(r.Parts, Part{Name: probe.Kind, Purpose: purposes[probe.Kind], OK: probe.OK, Checks: probe.Checks})
	}
	disks := part("disks", "storing and converting images", tool("qemu-img", "qemu-utils"), space(h.Data))
	r.Parts = append(r.Parts, disks, bootstrap())
	if h.Mirror != "" {
		r.Parts = append(r.Parts, part("network", "downloading packages and base images", reach(ctx, h.Mirror)))
	}
	r.OK = instances && disks.OK
	r.Install = install(r.Parts)
	return r
}

func part(name, purpose string, checks ...compute.Finding) Part {
	bad := slices.ContainsFunc(checks, func(f compute.Finding) bool { return !f.OK })
	return Part{Name: name, Purpose: purpose, OK: !bad, Checks: checks}
}

// bootstrap checks the tools that build a base image out of packages.
func bootstrap() Part {
	return part("bases", "building base images from Debian packages",
		tool("mmdebstrap", "mmdebstrap"),
		tool("mkfs.ext4", "e2fsprogs"),
		tool("mkfs.vfat", "dosfstools"),
		tool("mcopy", "mtools"),
		tool("grub-mkimage", "grub-common"),
		file("grub for BIOS", "/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin"),
		file("grub for UEFI", "/usr/lib/grub/x86_64-efi/kernel.img", "grub-efi-amd64-bin"),
		file("archive keys", "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
	)
}

// tool looks for a program, also where only root's PATH leads.
func tool(name, pkg string) compute.Finding {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return compute.Finding{Name: name, OK: true, Detail: path}
		}
	}
	return missing(name, pkg)
}

func file(name, path, pkg string) compute.Finding {
	if _, err := os.Stat(path); err != nil {
		return missing(name, pkg)
	}
	return compute.Finding{Name: name, OK: true, Detail: path}
}

const aptInstall = "apt-get install "

func missing(name, pkg string) compute.Finding {
	return compute.Finding{Name: name, Detail: "not installed", Remedy: aptInstall + pkg}
}

// minFree is room for a base of 4 GiB, its build and its result, in bytes.
const minFree = 10 << 30

// space looks at the file system where the data directory is or will be.
func space(dir string) compute.Finding {
	f := compute.Finding{Name: "disk space"}
	at, err := existing(dir)
	if err != nil {
		f.Detail, f.Remedy = err.Error(), "choose another data directory with --data"
		return f
	}
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		f.Detail = fmt.Sprintf("asking for the room in %s: %v", at, err)
		return f
	}
	free := int64(st.Bavail) * st.Bsize
	f.Detail = fmt.Sprintf("%.1f GiB free in %s", float64(free)/(1<<30), at)
	if free < minFree {
		f.Remedy = fmt.Sprintf("free some, or choose another data directory with --data: builds want %d GiB", minFree>>30)
		return f
	}
	if err := unix.Access(at, unix.W_OK); err != nil {
		f.Detail, f.Remedy = fmt.Sprintf("%s is not writable: %v", at, err), "choose another data directory with --data"
		return f
	}
	f.OK = true
	return f
}

// existing is dir or the nearest folder above it that is there.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", &fs.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
		case !os.IsNotExist(err) || dir == "/":
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

const dialLimit = 5 * time.Second

func reach(ctx context.Context, address string) compute.Finding {
	f := compute.Finding{Name: "mirror"}
	start := time.Now()
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", address)
	if err != nil {
		f.Detail, f.Remedy = err.Error(), "check the name server and the firewall; behind a proxy set http_proxy in the components"
		return f
	}
	conn.Close()
	f.OK, f.Detail = true, fmt.Sprintf("%s answers in %s", address, time.Since(start).Round(time.Millisecond))
	return f
}

// install joins the packages of all remedies of the form "apt-get install A B; more".
func install(parts []Part) string {
	var packages []string
	for _, p := range parts {
		for _, c := range p.Checks {
			list, ok := strings.CutPrefix(c.Remedy, aptInstall)
			if c.OK || !ok {
				continue
			}
			list, _, _ = strings.Cut(list, ";")
			packages = append(packages, strings.Fields(list)...)
		}
	}
	if len(packages) == 0 {
		return ""
	}
	slices.Sort(packages)
	return aptInstall + strings.Join(slices.Compact(packages), " ")
}
