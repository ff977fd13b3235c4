// Package compute is the contract of build instances: a disk that is started,
// spoken to, stopped and read again.
//
// A Driver makes instances of one kind. Every instance is held by a shim, a
// process of its own that outlives a restart of the server (package
// compute/shim), so Launch and Adopt return the same thin client. Whatever a
// driver makes carries the instance's id in its name and ends with Destroy;
// what a killed server left is found by Sweep.
package compute

import (
	"context"
	"errors"
	"time"

	"ingot.dev/ingot/guest"
)

// The two kinds of instances.
const (
	KindContainer = "container"
	KindQEMU      = "qemu"
)

// Driver makes instances of one kind.
type Driver interface {
	Kind() string
	// Probe finds out by doing what this host can do. The verdict is cached per host boot.
	Probe(ctx context.Context) Report
	// Launch starts an instance and returns when its shim holds it; the guest
	// may still be booting. It is idempotent by Spec.ID: a live instance of
	// that id is adopted, one that has ended is started again on its disk.
	Launch(ctx context.Context, spec Spec) (Instance, error)
	// Adopt returns the instance of an id, live or ended, as long as it was not
	// destroyed; else an error that Is ErrGone. Its State says which.
	Adopt(ctx context.Context, id string) (Instance, error)
	// Sweep ends and removes whatever belongs to this driver and installation
	// and whose id is not in keep: processes, mounts, loops, cgroups, networks, files.
	Sweep(ctx context.Context, keep []string) error
}

// Report is a driver's verdict on this host.
type Report struct {
	Kind   string    `json:"kind"`
	OK     bool      `json:"ok"`
	Checks []Finding `json:"checks"`
}

// Finding is one checked ability. Remedy is the command or setting that helps; empty when OK.
type Finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Boot is how an instance starts.
type Boot string

const (
	BootDirect Boot = "direct" // kernel of the image, agent from the initrd (qemu); systemd (container)
	BootBIOS   Boot = "bios"   // the image's own loader; qemu only
	BootUEFI   Boot = "uefi"
)

// Spec says what to start. Disk is a qcow2 overlay of the instance's own, made
// by package disk; the driver never writes to its backing file.
type Spec struct {
	ID        string            `json:"id"` // "i-" and 17 hex digits
	Hostname  string            `json:"hostname"`
	Disk      string            `json:"disk"` // path of the qcow2 overlay
	Boot      Boot              `json:"boot"`
	CPUs      int               `json:"cpus"`
	MemoryMiB int               `json:"memoryMiB"`
	MaxPIDs   int               `json:"maxPids,omitempty"` // 0 is the driver's default
	Forward   []Forward         `json:"forward,omitempty"` // host port to guest port; qemu only
	Tags      map[string]string `json:"tags,omitempty"`
	Token     string            `json:"token"` // what the agent proves itself with
}

// Forward makes a TCP port of the guest reachable on the host's loopback.
type Forward struct {
	Host  int `json:"host"`
	Guest int `json:"guest"`
}

// Phase is where an instance is in its life.
type Phase string

const (
	PhaseStarting Phase = "starting"
	PhaseRunning  Phase = "running"
	PhaseOff      Phase = "off"     // powered off cleanly; the disk may be read
	PhaseCrashed  Phase = "crashed" // ended otherwise; Reason says how
)

// State is what an instance's shim knows. A reboot of the guest is not an end:
// the shim boots the same disk again and Boots grows.
type State struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Phase   Phase     `json:"phase"`
	Reason  string    `json:"reason,omitempty"`
	Boots   int       `json:"boots"`
	Address string    `json:"address,omitempty"` // IPv4 reachable from the host; container only
	Started time.Time `json:"started"`
	Console string    `json:"console"` // path of the serial console's text
}

// Instance is a started machine.
type Instance interface {
	ID() string
	State(ctx context.Context) (State, error)
	// Agent waits until the executor in the guest answers. Call it again after a reboot.
	Agent(ctx context.Context) (*guest.Client, error)
	// Wait returns when the phase is off or crashed.
	Wait(ctx context.Context) (State, error)
	// Stop asks the guest to power off, waits for grace, then ends it; the disk is flushed after.
	Stop(ctx context.Context, grace time.Duration) (State, error)
	// Destroy ends the instance and removes everything it had, its overlay included. It is idempotent.
	Destroy(ctx context.Context) error
}

// ErrGone is returned for an instance that is not there any more.
var ErrGone = errors.New("the instance is gone")
