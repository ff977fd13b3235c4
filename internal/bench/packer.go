package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ingot.dev/ingot/disk"
)

// packer is the peer: Debian's packer with its qemu builder, on the same base
// image, booting the kernel directly, emulated like our own machines here.
type packer struct {
	dir  string // base.qcow2, kernel, initrd, key
	root int    // number of the root partition
}

// newPacker makes a copy of the base that lets root in with a key of its own,
// and takes kernel and initrd out of it, which is what direct boot needs.
func newPacker(ctx context.Context, base, dir string) (*packer, error) {
	layout, err := disk.Inspect(base)
	if err != nil {
		return nil, err
	}
	p := &packer{dir: dir, root: layout.Partitions[layout.Root].Number}
	raw := filepath.Join(dir, "base.raw")
	if err := command(ctx, "cp", "--sparse=always", base, raw); err != nil {
		return nil, err
	}
	if err := command(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "key")); err != nil {
		return nil, err
	}
	target := fmt.Sprintf("%s?offset=%d", raw, layout.Partitions[layout.Root].Offset)
	script := strings.Join([]string{
		"dump " + p.link(ctx, target, "/vmlinuz") + " " + filepath.Join(dir, "kernel"),
		"dump " + p.link(ctx, target, "/initrd.img") + " " + filepath.Join(dir, "initrd"),
		"mkdir /root/.ssh",
		"set_inode_field /root/.ssh mode 040700",
		"write " + filepath.Join(dir, "key.pub") + " /root/.ssh/authorized_keys",
		"set_inode_field /root/.ssh/authorized_keys mode 0100600",
		"",
	}, "\n")
	debugfs := exec.CommandContext(ctx, "debugfs", "-w", "-f", "/dev/stdin", target)
	debugfs.Stdin = strings.NewReader(script)
	if out, err := debugfs.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("preparing packer's base: %w: %s", err, out)
	}
	if err := command(ctx, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, filepath.Join(dir, "base.qcow2")); err != nil {
		return nil, err
	}
	return p, errors.Join(os.Remove(raw))
}

// link reads a symbolic link in the image: debugfs dumps files only.
func (p *packer) link(ctx context.Context, target, path string) string {
	out, err := exec.CommandContext(ctx, "debugfs", "-R", "stat "+path, target).Output()
	if err != nil {
		return path
	}
	_, after, ok := strings.Cut(string(out), `Fast link dest: "`)
	if !ok {
		return path
	}
	dest, _, _ := strings.Cut(after, `"`)
	return filepath.Join("/", dest)
}

// provisioner is one of packer's, as its template has it.
type provisioner map[string]any

func shell(commands ...string) provisioner {
	return provisioner{"type": "shell", "inline": commands}
}

// reboot restarts the guest and goes on with then. Packer's SSH connection goes
// over QEMU's user network, which answers for a guest that is down: left to
// itself, packer waits for minutes in a handshake with nobody. So the connection
// is cut in the guest, and packer waits before it tries again.
func reboot(then provisioner) []provisioner {
	cut := shell("systemd-run --quiet --on-active=1 systemctl reboot", "pkill -o sshd; pkill sshd")
	cut["expect_disconnect"], cut["skip_clean"] = true, true
	then["pause_before"] = rebootTime
	return []provisioner{cut, then}
}

// rebootTime is how long a reboot takes that packer's guest makes, emulated.
const rebootTime = "25s"

// bake runs packer with these provisioners and returns how long it took.
func (p *packer) bake(ctx context.Context, provisioners []provisioner) (time.Duration, error) {
	out := filepath.Join(p.dir, "out")
	if err := os.RemoveAll(out); err != nil {
		return 0, err
	}
	template, err := json.Marshal(p.template(out, provisioners))
	if err != nil {
		return 0, err
	}
	file := filepath.Join(p.dir, "template.json")
	if err := os.WriteFile(file, template, 0o600); err != nil {
		return 0, err
	}
	run := exec.CommandContext(ctx, "packer", "build", "-color=false", file)
	run.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	run.Dir = p.dir
	start := time.Now()
	if text, err := run.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("packer: %w\n%s", err, text)
	}
	return time.Since(start), nil
}

func (p *packer) template(out string, provisioners []provisioner) map[string]any {
	kernelArgs := fmt.Sprintf("root=/dev/vda%d rw console=ttyS0 net.ifnames=0 quiet", p.root)
	return map[string]any{
		"builders": []any{map[string]any{
			"type": "qemu", "accelerator": "tcg", "machine_type": "q35", "cpus": 2, "memory": 1024,
			"disk_image": true, "iso_url": filepath.Join(p.dir, "base.qcow2"), "iso_checksum": "none",
			"format": "qcow2", "use_backing_file": false, "skip_compaction": true, "skip_resize_disk": true,
			"disk_interface": "virtio", "disk_discard": "unmap", "net_device": "virtio-net",
			"headless": true, "vnc_bind_address": "127.0.0.1", "boot_wait": "1s",
			"output_directory": out, "vm_name": "out.qcow2",
			"communicator": "ssh", "ssh_username": "root", "ssh_private_key_file": filepath.Join(p.dir, "key"),
			"ssh_timeout": "5m", "shutdown_command": "systemctl poweroff", "shutdown_timeout": "2m",
			"qemuargs": [][]string{
				{"-cpu", "max"},
				{"-kernel", filepath.Join(p.dir, "kernel")},
				{"-initrd", filepath.Join(p.dir, "initrd")},
				{"-append", kernelArgs},
				{"-serial", "file:" + filepath.Join(p.dir, "serial.log")},
			},
		}},
		"provisioners": provisioners,
	}
}

func command(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
