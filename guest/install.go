package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Where the agent lives in a guest: below /run, a tmpfs, so that nothing of it
// is in an image. StateDirectory alone is on disk.
const (
	RunDirectory   = "/run/ingot"
	StateDirectory = "/var/lib/ingot-agent"
	// VirtioPort is the name of the channel's port in a virtual machine.
	VirtioPort = "ingot.0"

	configName = "agent.json"
	unitName   = "ingot-agent.service"
)

// AgentConfig is what an agent reads at its start, from RunDirectory.
type AgentConfig struct {
	Channel string `json:"channel"` // name of a virtio port, or "unix:" and the path of a socket to connect to
	Token   string `json:"token"`
}

// A component that takes too much memory must not take the agent with it: the
// kernel kills the largest process, which a lower score of the agent would not
// change but hand down to its children, and systemd leaves the others alone.
//
// The agent starts as soon as the file system of its state can be written: the
// other file systems wait for udev, which takes seconds in an emulated guest.
// Nor does it wait for the network; Client.Ready tells when all is there. It
// runs until the very end of a shutdown: a run that asked for a reboot must get
// its last lines out.
const unit = `[Unit]
Description=Ingot agent
DefaultDependencies=no
After=systemd-remount-fs.service
RequiresMountsFor=` + StateDirectory + `
Conflicts=shutdown.target
Before=shutdown.target

[Service]
ExecStart=` + RunDirectory + `/agent
Restart=always
RestartSec=200ms
StartLimitInterval=0
OOMPolicy=continue
TasksMax=infinity
Delegate=no

[Install]
WantedBy=sysinit.target
`

// Install puts the agent, its configuration and a systemd unit into a guest's
// /run, which the caller has mounted at run.
func Install(run string, cfg AgentConfig, program io.Reader) error {
	text, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	dir := filepath.Join(run, "ingot")
	units := filepath.Join(run, "systemd/system")
	wants := filepath.Join(units, "sysinit.target.wants")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.MkdirAll(wants, 0o755)); err != nil {
		return fmt.Errorf("installing the agent: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "agent"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return fmt.Errorf("installing the agent: %w", err)
	}
	_, err = io.Copy(f, program)
	err = errors.Join(err, f.Close(),
		os.WriteFile(filepath.Join(dir, configName), text, 0o600),
		os.WriteFile(filepath.Join(units, unitName), []byte(unit), 0o644),
		os.Symlink(filepath.Join("..", unitName), filepath.Join(wants, unitName)))
	if err != nil {
		return fmt.Errorf("installing the agent: %w", err)
	}
	return nil
}

// LoadAgentConfig reads what Install wrote, and the name of this boot, which
// the first agent of a boot makes up.
func LoadAgentConfig(dir string) (cfg AgentConfig, bootID string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, configName))
	if err != nil {
		return cfg, "", err
	}
	if err := json.Unmarshal(text, &cfg); err != nil {
		return cfg, "", fmt.Errorf("reading %s: %w", configName, err)
	}
	path := filepath.Join(dir, "boot-id")
	known, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		bootID = newNonce()
		return cfg, bootID, os.WriteFile(path, []byte(bootID), 0o600)
	}
	return cfg, string(known), err
}
