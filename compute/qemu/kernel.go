package qemu

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu/initramfs"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/agentbin"
)

// needed are the modules without which a direct boot cannot reach the root disk
// or the agent's channel. useful ones are taken where the kernel has them as modules:
// a modular ext4 asks for a checksum that modules.dep does not name.
var (
	needed = []string{"virtio_pci", "virtio_blk", "virtio_console"}
	useful = []string{"crc32c_generic", "ext4"}
)

// kernelOptions are the command line of a direct boot. A panic ends the boot at
// once. cloud-init would take 20 s of an emulated boot and leave its traces in
// the image; the timers would take apt's lock from a component; nobody logs in.
var kernelOptions = []string{
	"console=ttyS0", "net.ifnames=0", "loglevel=4", "panic=-1", "cloud-init=disabled",
	"systemd.mask=apt-daily.timer", "systemd.mask=apt-daily-upgrade.timer",
	"systemd.mask=serial-getty@ttyS0.service", "systemd.mask=getty-static.service",
}

// prepareDirect copies the kernel out of a raw disk into dir and makes the
// initrd beside it. It takes a tenth of a second, so nothing of it is cached.
func prepareDirect(ctx context.Context, raw, dir string, spec compute.Spec) (Direct, error) {
	root, part, err := findRoot(raw)
	if err != nil {
		return Direct{}, fmt.Errorf("booting directly: %w; boot it by its firmware or use a container", err)
	}
	version, err := findKernel(ctx, root)
	if err != nil {
		return Direct{}, fmt.Errorf("booting directly: %w", err)
	}
	work, err := scratch(dir, "modules")
	if err != nil {
		return Direct{}, err
	}
	defer os.RemoveAll(work)
	d := Direct{Kernel: filepath.Join(dir, "vmlinuz"), Initrd: filepath.Join(dir, "initrd"), Append: kernelLine(spec.Hostname)}
	if err := root.dump(ctx, []copyFile{{version.path, d.Kernel}}); err != nil {
		return Direct{}, fmt.Errorf("booting directly: %w", err)
	}
	modules, err := readModules(ctx, root, version.release, work)
	if err != nil {
		return Direct{}, fmt.Errorf("booting directly kernel %s: %w", version.release, err)
	}
	cfg := initramfs.Config{
		Root: rootDevice(part), FSType: "ext4",
		Agent: guest.AgentConfig{Channel: AgentPort, Token: spec.Token},
	}
	if err := writeInitrd(d.Initrd, cfg, modules); err != nil {
		return Direct{}, fmt.Errorf("making initrd %s: %w", d.Initrd, err)
	}
	return d, nil
}

// kernelLine is the kernel's command line. The host name counts for this boot only.
func kernelLine(hostname string) string {
	line := strings.Join(kernelOptions, " ")
	if hostname != "" {
		line += " systemd.hostname=" + hostname
	}
	return line
}

// rootDevice is the name of a partition of the one virtio disk; 0 is the whole disk.
func rootDevice(p disk.Partition) string {
	if p.Number == 0 {
		return "/dev/vda"
	}
	return fmt.Sprintf("/dev/vda%d", p.Number)
}

// kernel is one of those installed in a guest.
type kernel struct {
	release string // as uname -r says
	path    string
}

// findKernel chooses the newest kernel that has modules.
func findKernel(ctx context.Context, root ext4) (kernel, error) {
	boot, err := root.list(ctx, "/boot")
	if err != nil {
		return kernel{}, err
	}
	modules, err := root.list(ctx, "/lib/modules")
	if err != nil {
		return kernel{}, err
	}
	var found []kernel
	for _, b := range boot {
		release, ok := strings.CutPrefix(b.name, "vmlinuz-")
		if ok && slices.ContainsFunc(modules, func(m entry) bool { return m.name == release }) {
			found = append(found, kernel{release, path.Join("/boot", b.name)})
		}
	}
	if len(found) == 0 {
		return kernel{}, errors.New("the image has no /boot/vmlinuz-VERSION with /lib/modules/VERSION on its root partition; boot it by its firmware or use a container")
	}
	return slices.MaxFunc(found, func(a, b kernel) int { return compareReleases(a.release, b.release) }), nil
}

// compareReleases orders kernel releases: runs of digits count as numbers.
func compareReleases(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da == 0 || db == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		na, nb := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
		if c := cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb)); c != 0 {
			return c
		}
		a, b = a[da:], b[db:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits counts the digits that s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// module is a kernel module, ready to load.
type module struct {
	name string
	data []byte
}

// readModules copies the modules of a direct boot out, in the order to load them.
func readModules(ctx context.Context, root ext4, release, work string) ([]module, error) {
	base := path.Join("/lib/modules", release)
	dep, builtin := filepath.Join(work, "modules.dep"), filepath.Join(work, "modules.builtin")
	err := root.dump(ctx, []copyFile{
		{path.Join(base, "modules.dep"), dep},
		{path.Join(base, "modules.builtin"), builtin},
	})
	if err != nil {
		return nil, err
	}
	depText, err := os.ReadFile(dep)
	if err != nil {
		return nil, err
	}
	builtinText, err := os.ReadFile(builtin)
	if err != nil {
		return nil, err
	}
	names, err := loadOrder(string(depText), string(builtinText), needed, useful)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	files := make([]copyFile, len(names))
	for i, n := range names {
		files[i] = copyFile{path.Join(base, n), filepath.Join(work, fmt.Sprintf("%02d", i))}
	}
	if err := root.dump(ctx, files); err != nil {
		return nil, err
	}
	modules := make([]module, len(files))
	for i, f := range files {
		if modules[i], err = readModule(ctx, names[i], f.to); err != nil {
			return nil, err
		}
	}
	return modules, nil
}

// maxModules bounds the list, which the guest's modules.dep makes.
const maxModules = 64

// loadOrder lists the files of modules, dependencies first. dep and builtin are
// the texts of modules.dep and modules.builtin; what is in neither is an error
// if it is needed.
func loadOrder(dep, builtin string, needed, useful []string) ([]string, error) {
	deps := map[string][]string{} // module name to its file and what it depends on
	for line := range strings.Lines(dep) {
		file, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			deps[moduleName(file)] = append([]string{file}, strings.Fields(rest)...)
		}
	}
	static := map[string]bool{}
	for line := range strings.Lines(builtin) {
		static[moduleName(strings.TrimSpace(line))] = true
	}
	var order []string
	for _, name := range slices.Concat(needed, useful) {
		files, ok := deps[name]
		if !ok && !static[name] && slices.Contains(needed, name) {
			return nil, fmt.Errorf("it has no %s, neither as a module nor built in; boot the image by its firmware or use a container", name)
		}
		// modules.dep names the nearest dependency first and the farthest last.
		for _, f := range slices.Backward(files) {
			if !slices.Contains(order, f) {
				order = append(order, f)
			}
		}
	}
	if len(order) > maxModules {
		return nil, fmt.Errorf("its modules.dep wants %d modules for a boot, more than %d", len(order), maxModules)
	}
	return order, nil
}

// moduleName is a module's name by its file: dashes count as underscores.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// maxModule bounds an unpacked module, in bytes.
const maxModule = 32 << 20

// readModule reads a module file and unpacks it by its extension.
func readModule(ctx context.Context, name, file string) (module, error) {
	m := module{name: moduleName(name)}
	packed, err := os.ReadFile(file)
	if err != nil {
		return m, err
	}
	var r io.Reader
	switch path.Ext(name) {
	case ".ko":
		m.data = packed
		return m, nil
	case ".gz":
		r, err = gzip.NewReader(bytes.NewReader(packed))
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderMaxMemory(maxModule)); err == nil {
			defer z.Close()
		}
		r = z
	case ".xz":
		cmd := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--memlimit=64MiB")
		cmd.Stdin = bytes.NewReader(packed)
		var out []byte
		out, err = cmd.Output()
		r = bytes.NewReader(out)
	default:
		err = errors.New("its compression is not known")
	}
	if err == nil {
		m.data, err = io.ReadAll(io.LimitReader(r, maxModule))
	}
	if err != nil {
		return m, fmt.Errorf("unpacking module %s: %w", name, err)
	}
	return m, nil
}

// writeInitrd makes an initrd whose /init is the agent's program.
func writeInitrd(file string, cfg initramfs.Config, modules []module) (err error) {
	program, err := agentbin.Program("linux", "amd64")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it holds the token
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	c := &cpio{w: f}
	c.dir("dev")
	c.device("dev/console", 5, 1)
	c.dir("modules")
	for i, m := range modules {
		name := fmt.Sprintf("modules/%02d-%s.ko", i, m.name)
		c.file(name, 0o600, m.data)
		cfg.Modules = append(cfg.Modules, "/"+name)
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	c.file(strings.TrimPrefix(initramfs.ConfigFile, "/"), 0o600, text)
	c.file("init", 0o700, program)
	return c.close()
}
