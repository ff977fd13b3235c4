package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/agentbin"
)

// Where an injected agent lies in the guest, and what starts it.
const (
	agentFolder = "/.ingot"
	unitFolder  = "/etc/systemd/system"
	wantsFolder = unitFolder + "/sysinit.target.wants"
	unitName    = "ingot-agent.service"
)

// injectedUnit starts the agent as early as its channel can be there. What it
// keeps in its folder below /run must not outlive a boot, so only the
// configuration is copied there. udev would load the channel's driver some
// seconds later.
const injectedUnit = `[Unit]
Description=Ingot agent
DefaultDependencies=no
After=systemd-remount-fs.service
RequiresMountsFor=` + guest.StateDirectory + `
Conflicts=shutdown.target
Before=shutdown.target

[Service]
RuntimeDirectory=ingot
RuntimeDirectoryPreserve=yes
ExecStartPre=-/bin/sh -c 'modprobe virtio_pci; modprobe virtio_console'
ExecStartPre=/bin/cp ` + agentFolder + `/agent.json ` + guest.RunDirectory + `/agent.json
ExecStart=` + agentFolder + `/agent
Restart=always
RestartSec=200ms
StartLimitIntervalSec=0
OOMPolicy=continue
TasksMax=infinity
`

// errNoSystemd says that nothing in the guest would start the agent.
var errNoSystemd = errors.New("the image has no " + unitFolder + ": only systemd is known to start an agent")

// injectAgent writes the agent and its unit into the root file system of a raw
// disk that will be thrown away. work is a folder for temporary files.
// It returns errNoExt4 or errNoSystemd where the disk cannot have an agent.
func injectAgent(ctx context.Context, raw, work, token string) error {
	root, _, err := findRoot(raw)
	if err != nil {
		return err
	}
	units, err := root.list(ctx, path.Dir(unitFolder))
	if err != nil {
		return err
	}
	if !has(units, path.Base(unitFolder)) {
		return errNoSystemd
	}
	dir, err := scratch(work, "inject")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := agentFiles(dir, token)
	if err != nil {
		return err
	}
	if err := root.replay(ctx); err != nil {
		return err
	}
	folders, err := missingFolders(ctx, root, agentFolder, wantsFolder)
	if err != nil {
		return err
	}
	out, err := root.run(ctx, true, injectCommands(files, folders))
	if err != nil {
		return fmt.Errorf("writing the agent into %s: %w", raw, err)
	}
	return verify(ctx, root, files, out)
}

func has(entries []entry, name string) bool {
	return slices.ContainsFunc(entries, func(e entry) bool { return e.name == name })
}

// missingFolders are those of folders that the guest does not have.
func missingFolders(ctx context.Context, root ext4, folders ...string) ([]string, error) {
	var missing []string
	for _, f := range folders {
		beside, err := root.list(ctx, path.Dir(f))
		if err != nil {
			return nil, err
		}
		if !has(beside, path.Base(f)) {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// injected is a file on its way into the guest.
type injected struct {
	from, folder, name string
	mode               os.FileMode
	size               int64
}

// agentFiles writes what is to be injected into dir.
func agentFiles(dir, token string) ([]injected, error) {
	program, err := agentbin.Program("linux", "amd64")
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(guest.AgentConfig{Channel: AgentPort, Token: token})
	if err != nil {
		return nil, err
	}
	files := []injected{
		{folder: agentFolder, name: "agent", mode: 0o700},
		{folder: agentFolder, name: "agent.json", mode: 0o600},
		{folder: unitFolder, name: unitName, mode: 0o644},
	}
	for i, content := range [][]byte{program, config, []byte(injectedUnit)} {
		f := &files[i]
		f.from, f.size = filepath.Join(dir, f.name), int64(len(content))
		if err := os.WriteFile(f.from, content, f.mode); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// injectCommands are for debugfs. What is there already, from an earlier start
// on the same overlay, is replaced; but a folder that is there must not be made
// again, for debugfs leaves a lost inode behind then.
func injectCommands(files []injected, folders []string) []string {
	var commands []string
	for _, f := range folders {
		commands = append(commands, "mkdir "+f)
	}
	for _, f := range files {
		full := path.Join(f.folder, f.name)
		commands = append(commands,
			"rm "+full,
			"cd "+f.folder,
			"write "+quote(f.from)+" "+f.name,
			"set_inode_field "+full+" mode 0"+strconv.FormatUint(0o100000|uint64(f.mode), 8),
			"set_inode_field "+full+" uid 0",
			"set_inode_field "+full+" gid 0")
	}
	return append(commands,
		"rm "+path.Join(wantsFolder, unitName),
		"cd "+wantsFolder,
		"symlink "+unitName+" ../"+unitName)
}

// verify looks whether the files are there, for debugfs ends well even when a
// command did not.
func verify(ctx context.Context, root ext4, files []injected, out string) error {
	for _, f := range files {
		entries, err := root.list(ctx, f.folder)
		if err != nil {
			return err
		}
		if !slices.Contains(entries, entry{f.name, f.size}) {
			return fmt.Errorf("writing %s into %s: debugfs: %s", path.Join(f.folder, f.name), root.disk, complaint(out))
		}
	}
	return nil
}
