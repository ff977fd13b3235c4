package qemu

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ingot.dev/ingot/compute"
)

// Accel is what executes the guest's instructions.
type Accel string

// The two accelerators.
const (
	AccelKVM Accel = "kvm"
	AccelTCG Accel = "tcg" // emulation; guests run about eight times slower
)

// translationCacheMiB holds a whole boot and an apt run of a Debian guest;
// larger ones showed no gain.
const translationCacheMiB = 512

// AgentPort is the name of the virtio-serial port the agent listens on.
const AgentPort = "ingot.0"

// Command is one boot of a virtual machine. The descriptors are numbers in the
// QEMU process: sockets that its parent made and passes on.
type Command struct {
	Binary    string // qemu-system-x86_64
	ID        string // of the instance
	Tag       string // of the installation
	Accel     Accel
	CPUs      int
	MemoryMiB int
	Disk      string // qcow2 overlay
	Direct    Direct // used when its Kernel is set
	Firmware  Firmware
	Hostname  string // told to the guest by DHCP
	Forward   []compute.Forward
	AgentFD   int // listening socket of the agent's port
	MonitorFD int // connected socket for QMP
}

// Direct is a kernel that QEMU loads itself.
type Direct struct {
	Kernel string // path
	Initrd string // path
	Append string // kernel command line
}

// Firmware is what starts the image's own loader. The zero value is QEMU's
// built-in SeaBIOS.
type Firmware struct {
	Code string // UEFI code, read-only
	Vars string // UEFI variables of this instance
}

// Cmdline returns the program and its arguments.
func Cmdline(c Command) []string {
	args := []string{
		c.Binary,
		"-name", "guest=" + processName(c.Tag, c.ID),
		"-uuid", instanceUUID(c.Tag, c.ID).String(),
		"-nodefaults", "-no-user-config", "-display", "none",
		// Without graphics SeaBIOS speaks on the serial port: "No bootable device" is worth reading.
		"-machine", "q35,vmport=off,hpet=off,graphics=off",
		"-accel", accelOption(c.Accel),
		"-cpu", cpuModel(c.Accel),
		"-smp", strconv.Itoa(c.CPUs),
		"-m", strconv.Itoa(c.MemoryMiB),
		// A reboot ends this QEMU and the shim starts the next one. Shutdown only
		// pauses, so that the event with its reason is read before the process ends.
		"-action", "reboot=shutdown,shutdown=pause,panic=shutdown",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	}
	args = append(args, bootArgs(c)...)
	args = append(args, diskArgs(c.Disk)...)
	args = append(args, networkArgs(c)...)
	return append(args,
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d,server=on,wait=off", c.AgentFD),
		"-device", "virtserialport,chardev=agent,name="+AgentPort,
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", c.MonitorFD),
		"-mon", "chardev=monitor,mode=control",
		"-chardev", "stdio,id=console,signal=off",
		"-serial", "chardev:console",
	)
}

// processName marks a QEMU process as an instance of this installation.
func processName(tag, id string) string { return namePrefix(tag) + id }

func namePrefix(tag string) string { return "ingot." + tag + "." }

// instanceUUID is what the guest's firmware reports as the machine's identity.
func instanceUUID(tag, id string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("ingot:"+tag+"/"+id))
}

func accelOption(a Accel) string {
	if a == AccelKVM {
		return "kvm"
	}
	return fmt.Sprintf("tcg,thread=multi,tb-size=%d", translationCacheMiB)
}

func cpuModel(a Accel) string {
	if a == AccelKVM {
		return "host"
	}
	return "max"
}

func bootArgs(c Command) []string {
	if d := c.Direct; d.Kernel != "" {
		return []string{"-kernel", d.Kernel, "-initrd", d.Initrd, "-append", d.Append}
	}
	if c.Firmware.Code == "" {
		return nil
	}
	return []string{
		"-blockdev", blockdev(map[string]any{
			"node-name": "code", "driver": "raw", "read-only": true,
			"file": map[string]any{"driver": "file", "filename": c.Firmware.Code},
		}),
		"-blockdev", blockdev(map[string]any{
			"node-name": "vars", "driver": "raw",
			"file": map[string]any{"driver": "file", "filename": c.Firmware.Vars},
		}),
		"-machine", "pflash0=code,pflash1=vars",
	}
}

// diskArgs attach the overlay. Flushes of the guest are not passed on to the
// host's disk: whatever ends the host in the middle of a boot ends the instance
// too, and the shim syncs the file once the guest has powered off.
func diskArgs(path string) []string {
	return []string{
		"-blockdev", blockdev(map[string]any{
			"node-name": "root", "driver": "qcow2",
			"discard": "unmap", "detect-zeroes": "unmap",
			"cache": map[string]any{"no-flush": true},
			"file": map[string]any{
				"driver": "file", "filename": path, "discard": "unmap",
				"cache": map[string]any{"no-flush": true},
			},
		}),
		"-device", "virtio-blk-pci,drive=root,bootindex=1",
	}
}

// blockdev encodes a node as JSON, in which a path may hold any character.
func blockdev(node map[string]any) string {
	text, err := json.Marshal(node)
	if err != nil {
		panic(err) // maps of strings and booleans always encode
	}
	return string(text)
}

// networkArgs give the guest 10.0.2.15 behind QEMU's own NAT, with DHCP and a
// DNS forwarder. The option ROM is left out: nothing boots from the network.
func networkArgs(c Command) []string {
	user := []string{"user,id=net,ipv6=off"}
	if c.Hostname != "" {
		user = append(user, "hostname="+escape(c.Hostname))
	}
	for _, f := range c.Forward {
		user = append(user, fmt.Sprintf("hostfwd=tcp:127.0.0.1:%d-:%d", f.Host, f.Guest))
	}
	return []string{
		"-netdev", strings.Join(user, ","),
		"-device", "virtio-net-pci,netdev=net,romfile=",
	}
}

// escape protects the comma in a value of QEMU's key=value syntax.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }
