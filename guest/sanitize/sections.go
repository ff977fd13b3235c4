//go:build linux

package sanitize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// section is a group of files that a component may keep.
type section struct {
	name, skip string
	clean      func(*cleaner)
}

// sections of recipes-and-infrastructure.md §6.2, in its order.
var sections = []section{
	{"cloud-init files", "skip_cleanup_cloudinit_files", cloudInit},
	{"instance files", "skip_cleanup_instance_files", instanceFiles},
	{"ssh files", "skip_cleanup_ssh_files", sshFiles},
	{"instance log files", "skip_cleanup_instance_log_files", instanceLogs},
	{"component runner files", "skip_cleanup_toe_files", runnerFiles},
	{"command channel logs", "skip_cleanup_ssm_log_files", channelLogs},
}

// always is §6.3, which has no skip files.
var always = []func(*cleaner){systemState, machineID}

// extra is the self-hosted section, the last of all.
var extra = section{"extra files", "skip_cleanup_extra_files", extraFiles}

func cloudInit(c *cleaner) {
	c.shred("/etc/sudoers.d/90-cloud-init-users", "/etc/locale.conf",
		"/var/log/cloud-init.log", "/var/log/cloud-init-output.log")
	c.shredBelow("/var/lib/cloud")
	for _, name := range c.glob("/var/lib/cloud/*") {
		if err := os.RemoveAll(name); err != nil { // ignored by §6.2: the folder may be mounted
			c.emit(err.Error())
		}
	}
}

func instanceFiles(c *cleaner) {
	c.shred("/etc/.updated", "/etc/aliases.db", "/etc/hostname", "/var/lib/misc/postfix.aliasesdb-stamp",
		"/var/lib/postfix/master.lock", "/var/spool/postfix/pid/master.pid", "/var/.updated",
		"/var/cache/yum/x86_64/2/.gpgkeyschecked.yum")
}

func sshFiles(c *cleaner) {
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		key := "/etc/ssh/ssh_host_" + kind + "_key"
		c.shred(key, key+".pub")
	}
	c.shredAndVerify("/root/.ssh/authorized_keys", "/home/*/.ssh/authorized_keys")
}

func instanceLogs(c *cleaner) {
	c.shred("/var/log/audit/audit.log", "/var/log/boot.log", "/var/log/dmesg", "/var/log/cron")
}

func runnerFiles(c *cleaner) {
	c.removeTrees(filepath.Join(c.work, "TOE_*"))
	// Choice: the persistent log folder of component runs goes with the run
	// folders, §4.
	c.removeTrees("/var/lib/amazon/toe")
}

func channelLogs(c *cleaner) { c.removeTrees("/var/log/amazon/ssm") }

func systemState(c *cleaner) {
	c.shredAndVerify("/var/log/sa/sa*", "/var/lib/dhclient/dhclient*.lease")
	c.removeContent("/var/tmp")
	c.shred("/var/lib/systemd/random-seed", "/var/lib/rsyslog/imjournal.state")
	c.removeTrees("/var/log/journal/*")
}

// machineID empties the ids, so that each instance of the image gets its own.
func machineID(c *cleaner) {
	for _, name := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		info, err := os.Lstat(c.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().IsRegular() { // a link leads to the other one
			err = os.Truncate(c.path(name), 0)
		}
		if err != nil {
			c.fail(fmt.Errorf("emptying %s: %w", name, err))
			continue
		}
		c.emit("Emptied " + name)
	}
	f, err := os.OpenFile(c.path("/etc/machine-id"), os.O_CREATE|os.O_WRONLY, 0o444)
	if err != nil {
		c.fail(fmt.Errorf("making /etc/machine-id: %w", err))
		return
	}
	f.Close() // nothing was written
}

// extraFiles covers what §6 leaves to a self-hosted service.
func extraFiles(c *cleaner) {
	c.shred("/etc/netplan/50-cloud-init.yaml", "/var/lib/dhcp/*.leases", "/var/lib/NetworkManager/*.lease")
	for _, home := range []string{"/root", "/home/*"} {
		c.shred(home+"/.bash_history", home+"/.zsh_history", home+"/.ash_history", home+"/.sh_history",
			home+"/.python_history", home+"/.local/share/fish/fish_history")
	}
	c.removeFiles("/var/cache/apt/archives/*.deb", "/var/cache/apt/archives/partial/*", "/var/cache/apt/*.bin")
	c.removeTrees("/var/cache/dnf/*")
}

// finish is §6.4. The command channel of this service is the agent, which lives
// in memory only, so there is nothing to uninstall.
func (c *cleaner) finish() {
	c.removeTrees("/tmp/imagebuilder_service")
	c.section(extra)
}

// flush puts everything on stable storage: one call for all the files, as a
// sync of each costs a hundred times the rest.
func (c *cleaner) flush() error {
	root, err := os.Open(c.root)
	if err != nil {
		return fmt.Errorf("flushing the file system: %w", err)
	}
	defer root.Close()
	if err := unix.Syncfs(int(root.Fd())); err != nil {
		return fmt.Errorf("flushing the file system: %w", err)
	}
	return nil
}
