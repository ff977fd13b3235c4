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

import (
	"fmt"
	"io/fs"
	"net/http"

	"ingot.dev/ingot/toe"
)

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

// Power is a way to leave a boot.
type Power string

const (
	PowerOff    Power = "off"
	PowerReboot Power = "reboot"
)

// Inventory is what is installed in a guest.
type Inventory struct {
	OS       string    `json:"os"`     // PRETTY_NAME of os-release
	Format   string    `json:"format"` // "dpkg", "rpm" or "" when neither is there
	Packages []Package `json:"packages"`
}

// Package is one installed package, in the words of its package manager.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	Source  string `json:"source,omitempty"` // source package, where it has another name
}

// RemoteError is the agent's refusal. It Is fs.ErrNotExist for a file that is not there.
type RemoteError struct {
	Status  int // HTTP status
	Message string
}

func (e *RemoteError) Error() string { return fmt.Sprintf("the agent answered: %s", e.Message) }

// Is makes a missing file recognisable.
func (e *RemoteError) Is(target error) bool {
	return target == fs.ErrNotExist && e.Status == http.StatusNotFound
}

// clock is the body of a SetClock request.
type clock struct {
	UnixNano int64  `json:"unixNano"`
	Seed     []byte `json:"seed"`
}

// Command is a program to run in the guest, outside of any document.
type Command struct {
	ID   string   `json:"id"`
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}
