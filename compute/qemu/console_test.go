package qemu

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/compute"
)

func newConsole(t *testing.T, text string) (*console, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "console.log")
	c, err := openConsole(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.copy(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return c, path
}

func TestConsoleSeesPanics(t *testing.T) {
	for text, want := range map[string]string{
		"[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n":                    "Kernel panic - not syncing: VFS: Unable to mount root fs",
		"Kernel panic - not syncing: Attempted to kill init!\n":                                          "Kernel panic - not syncing: Attempted to kill init!",
		"ingot-init: mounting /dev/vda1: no such device\n[ 1.0] Kernel panic - not syncing: Attempted\n": "mounting /dev/vda1: no such device",
		"he said: Kernel panic - not syncing: no\n":                                                      "",
		"ingot-init: but no panic\n":                                                                     "",
		strings.Repeat("x", 1<<20) + "Kernel panic - not syncing: y":                                     "",
	} {
		c, _ := newConsole(t, text)
		if got := c.hasPanicked(); got != (want != "") {
			t.Errorf("hasPanicked after %.80q = %v", text, got)
		}
		if got := c.why(); want != "" && got != want {
			t.Errorf("why after %.80q = %q, want %q", text, got, want)
		}
	}
}

func TestConsoleIsBounded(t *testing.T) {
	_, path := newConsole(t, strings.Repeat("a guest that talks\n", 2*maxConsole/19))
	if info, err := os.Stat(path); err != nil || info.Size() != maxConsole {
		t.Errorf("size of the console = %v, %v, want %d", info.Size(), err, maxConsole)
	}
}

func TestExplain(t *testing.T) {
	for console, want := range map[string]string{
		"SeaBIOS\r\nBooting from Hard Disk...\r\nNo bootable device.\r\n": "no boot loader",
		"error: file `/boot/vmlinuz-9' not found.\n":                      "update-grub",
		"\x1b[2J\x1b[01;01Hgrub rescue> ":                                 "GRUB does not find",
		"ALERT!  UUID=123 does not exist.  Dropping to a shell!\n":        "root file system",
		"You are in emergency mode. After logging in":                     "emergency shell",
		"":                              "console stayed empty",
		"[ingot] no agent: xfs\n":       "console stayed empty",
		"[  OK  ] Started something.\n": "no sign of life",
	} {
		path := filepath.Join(t.TempDir(), "console")
		if err := os.WriteFile(path, []byte(console), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := readTail(path)
		if err != nil {
			t.Fatal(err)
		}
		err = explain(compute.BootBIOS, text, lastLines(text, consoleTail), context.DeadlineExceeded)
		var bootErr *BootError
		if !errors.As(err, &bootErr) || !strings.Contains(err.Error(), want) {
			t.Errorf("explain(%q) = %v, want %q in it", console, err, want)
		}
		if strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("explain(%q) = %q has control characters", console, err)
		}
	}
}

func TestLoginPrompt(t *testing.T) {
	for text, want := range map[string]bool{
		"Debian GNU/Linux 12 debian ttyS0\n\ndebian login: ": true,
		"login:": true,
		"Started Serial Getty; last login: yesterday\n": false,
	} {
		if got := loginPrompt.MatchString(text); got != want {
			t.Errorf("loginPrompt matches %q = %v, want %v", text, got, want)
		}
	}
}
