// Package shim holds one instance: a process of its own that outlives the
// server, boots the guest, boots it again when the guest asks for it, and tells
// how it ended.
//
//	server process                         shim process (ingot shim DIR)
//	Host.Launch ── spec.json, start ────▶  Main ── Machine.Open ── Guest.Boot, again and again
//	Host.Adopt  ── DIR/lock is held? ───▶  a lock that the kernel drops with the process
//	Instance    ── RUNTIME/shim.sock ───▶  control (state, wait, stop, kill) and the agent's requests
//
// DIR is the instance's folder on disk: spec.json, state.json (written whole,
// before anybody is told), lock, pid, console.log, shim.log and what the driver
// puts there. RUNTIME is a short folder for sockets, whose paths may have 107
// bytes. The state on disk is final once the lock is free: "off" or "crashed"
// as written, and "crashed" when it still says starting or running, for then
// the shim itself was killed.
//
// The shim is the only one that speaks to the guest's channel; it passes the
// requests of any number of clients on (package guest, HTTP/2). So a client may
// vanish at any moment, and the guest sees one connection per boot.
package shim

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"

	"ingot.dev/ingot/compute"
)

// Machine is one driver's half of a shim: it knows how to boot a disk. It lives
// in the shim process only; what it needs of the driver comes in Place.Options.
type Machine interface {
	// Open prepares what lasts over reboots of the guest, such as the exposed
	// disk, the network and the cgroup. After an error nothing of it is left.
	// ctx ends when the instance is to be killed.
	Open(ctx context.Context, p Place) (Guest, error)
}

// Guest is an opened machine. Main calls Boot until the guest does not ask for
// a reboot any more, then Close; Channel and PowerOff are called while Boot runs.
type Guest interface {
	// Boot starts the guest and returns how that boot ended. When ctx ends it
	// kills the guest, waits for it and returns EndCrashed. The error says why a
	// boot crashed or could not begin; it is nil for the other ends.
	Boot(ctx context.Context) (End, error)
	// Channel connects to the agent's byte stream of the present boot, waiting
	// until there is one or ctx ends. Main closes one connection before it asks
	// for the next.
	Channel(ctx context.Context) (net.Conn, error)
	// PowerOff asks the running guest to power off without the agent's help: a
	// signal to init, an ACPI button. It does not wait.
	PowerOff() error
	// Address is the guest's IPv4 address as the host reaches it, or "".
	Address() string
	// Close ends everything that Open made. The disk is flushed and readable
	// when it returns without an error. Main calls it exactly once.
	Close() error
}

// End is how a boot ended.
type End int

const (
	EndCrashed  End = iota // killed, panicked, or the process died
	EndOff                 // powered off by the guest
	EndRebooted            // the guest asked to be booted again
)

// Place is where and what to boot.
type Place struct {
	Spec    compute.Spec
	Tag     string          // of the installation; part of every name made on the host
	Options json.RawMessage // the driver's own, as given to Host.Launch
	Dir     string          // the instance's folder on disk, for work files
	Runtime string          // folder for sockets; short path
	Console string          // file that the guest's console is appended to
	Log     *slog.Logger    // to shim.log
}

// Child is implemented by a Machine that starts its own program again in
// another role, as the container's first process: Main calls it instead of
// everything else in a process that ChildCommand made.
type Child interface {
	Child() error
}
