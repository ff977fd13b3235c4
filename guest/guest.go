// Package guest is the wire between the server and an instance, both ends.
//
// They speak HTTP/2 in clear text over one byte stream: a virtio-serial port
// in a virtual machine, a Unix socket in a container. A stream may hold
// leftovers of an earlier connection, so a short token exchange resynchronises
// it first; the token also proves that the guest is the one that was launched.
// Everything is idempotent by id and resumable by position, so a client may
// vanish at any moment and another goes on.
//
// Server is the far end (cmd/ingot-agent); Client the near one.
package guest

import "ingot.dev/ingot/toe"

// Hello is the agent's answer to a greeting.
type Hello struct {
	Version  string `json:"version"`
	BootID   string `json:"bootId"` // changes with every boot of the guest
	Hostname string `json:"hostname"`
	OS       string `json:"os"` // PRETTY_NAME of os-release
}

// Run asks the agent to execute component documents. ID makes it idempotent:
// the same ID again attaches to the run, or goes on with it after a reboot.
type Run struct {
	ID string `json:"id"`
	toe.Request
}

// Event is one line of a run or command, numbered from 1 without gaps. The
// last one has Result (a run) or Exit (a command) set.
type Event struct {
	Seq    int64       `json:"seq"`
	Time   int64       `json:"time"` // Unix milliseconds, guest clock
	Toe    *toe.Event  `json:"toe,omitempty"`
	Stream string      `json:"stream,omitempty"` // "stdout" or "stderr" of a command
	Line   string      `json:"line,omitempty"`
	Result *toe.Result `json:"result,omitempty"`
	Exit   *int        `json:"exit,omitempty"`
}

// Command is a program to run in the guest, outside of any document.
type Command struct {
	ID   string   `json:"id"`
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}
