//go:build linux

// Package initramfs is the first process of a virtual machine that boots its
// kernel directly: it loads the virtio modules, mounts the image's root, puts
// the agent into its /run and hands over to the image's own init. Nothing of it
// is in the image afterwards.
//
// It is linked into the agent, which is the initrd's /init, so it imports only
// the standard library, x/sys and package guest.
package initramfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/guest"
)

// ConfigFile is where the initrd holds its Config.
const ConfigFile = "/ingot.json"

// Config is what the host tells the first process.
type Config struct {
	Modules []string          `json:"modules"` // paths in the initrd, in the order to load them
	Root    string            `json:"root"`    // device, as in /dev/vda3
	FSType  string            `json:"fsType"`
	Agent   guest.AgentConfig `json:"agent"`
}

// deviceLimit is how long the root device may take to appear: the kernel scans
// partitions in the background.
const deviceLimit = 30 * time.Second

const newRoot = "/root"

// IsInit tells the initrd's /init from an agent that is run in any other way.
func IsInit() bool {
	if os.Getpid() != 1 || os.Args[0] != "/init" {
		return false
	}
	_, err := os.Stat(ConfigFile)
	return err == nil
}

// Main hands over to the image's init and does not return when that succeeds.
// An error ends process 1, so the kernel panics; the console says why first.
func Main() error {
	cfg, err := load()
	if err == nil {
		err = prepare(cfg)
	}
	if err == nil {
		err = handOver()
	}
	return fmt.Errorf("ingot-init: %w", err)
}

func load() (cfg Config, err error) {
	text, err := os.ReadFile(ConfigFile)
	if err != nil {
		return cfg, err
	}
	return cfg, json.Unmarshal(text, &cfg)
}

// prepare mounts everything and installs the agent.
func prepare(cfg Config) error {
	if err := mountKernel(); err != nil {
		return err
	}
	for _, m := range cfg.Modules {
		if err := loadModule(m); err != nil {
			return err
		}
	}
	if err := waitFor(cfg.Root); err != nil {
		return err
	}
	if err := mount(cfg.Root, newRoot, cfg.FSType, 0, ""); err != nil {
		return err
	}
	run := newRoot + "/run"
	if err := mount("tmpfs", run, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=20%"); err != nil {
		return err
	}
	program, err := os.Open("/init")
	if err != nil {
		return err
	}
	defer program.Close()
	if err := guest.Install(run, cfg.Agent, program); err != nil {
		return err
	}
	return writeNetwork(run)
}

// mountKernel mounts the kernel's own file systems.
func mountKernel() error {
	return errors.Join(
		mount("devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=755"),
		mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
	)
}

func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mounting %s (%s) on %s: %w", source, fstype, target, err)
	}
	return nil
}

func loadModule(path string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := unix.InitModule(image, ""); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("loading module %s: %w", filepath.Base(path), err)
	}
	return os.Remove(path) // the initrd is memory
}

// waitFor polls: there is no udev yet that would tell.
func waitFor(device string) error {
	for deadline := time.Now().Add(deviceLimit); ; time.Sleep(time.Millisecond) {
		_, err := os.Stat(device)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			return fmt.Errorf("waiting %s for the root disk: %w", deviceLimit, err)
		}
	}
}

// dhcp is for images whose network cloud-init would set up. Its name sorts
// behind those of the image, which therefore win, and without
// systemd-networkd nobody reads it.
const dhcp = `[Match]
Name=en* eth*

[Network]
DHCP=yes
`

func writeNetwork(run string) error {
	dir := filepath.Join(run, "systemd/network")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "zz-ingot.network"), []byte(dhcp), 0o644)
}

// handOver makes the image's root the root and starts its init.
func handOver() error {
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, newRoot+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("moving %s: %w", dir, err)
		}
	}
	if err := errors.Join(os.Remove(ConfigFile), os.Remove("/init")); err != nil {
		return err
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("entering the root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := startAgent(); err != nil {
		return err
	}
	return execInit()
}

// startAgent starts the agent here where no systemd will do it.
func startAgent() error {
	for _, path := range []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"} {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	_, err = os.StartProcess(guest.RunDirectory+"/agent", []string{"ingot-agent"}, &os.ProcAttr{
		Dir: "/", Files: []*os.File{null, os.Stdout, os.Stderr},
	})
	return err
}

// execInit replaces this process.
func execInit() error {
	var errs []error
	for _, init := range []string{"/sbin/init", "/usr/lib/systemd/systemd", "/bin/init"} {
		err := unix.Exec(init, []string{init}, []string{"HOME=/", "TERM=linux", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
		errs = append(errs, fmt.Errorf("starting %s: %w", init, err))
	}
	return errors.Join(errs...)
}
