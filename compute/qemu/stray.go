package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// QEMU dies with its shim (Pdeathsig). A stray is one that outlived it all the
// same; it is known by the value after -name on its command line.

// maxCmdline bounds what is read of a process's command line; ours are shorter.
const maxCmdline = 64 << 10

// strays lists what stands behind prefix in the names of running QEMU processes.
func strays(prefix string) ([]string, error) {
	var ids []string
	err := eachProcess(func(_ int, name string) error {
		if id, ok := strings.CutPrefix(name, prefix); ok {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// killStrays ends every QEMU of that name and waits until it is gone.
func killStrays(name string) error {
	return eachProcess(func(pid int, found string) error {
		if found != name {
			return nil
		}
		return killProcess(pid, name)
	})
}

// killTimeout is for a process to vanish after SIGKILL, its disk writes included.
const killTimeout = 30 * time.Second

// killProcess ends a process if it still has that name: numbers are used again.
func killProcess(pid int, name string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if now, err := processNameOf(pid); err != nil || now != name {
		return err
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(killTimeout); ; {
		n, err := unix.Poll(ended, int(time.Until(deadline).Milliseconds()))
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("waiting for the end of process %d: %w", pid, err)
		case time.Now().After(deadline):
			return fmt.Errorf("process %d (%s) is still there %s after SIGKILL", pid, name, killTimeout)
		}
	}
}

// eachProcess calls f for every process that has a -name guest=NAME option.
func eachProcess(f func(pid int, name string) error) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		name, err := processNameOf(pid)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := f(pid, name); err != nil {
			return err
		}
	}
	return nil
}

// processNameOf returns a QEMU's name; it is empty for other processes and for
// one that is gone.
func processNameOf(pid int) (string, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	buf := make([]byte, maxCmdline)
	n, err := f.Read(buf)
	if err != nil {
		return "", nil // a kernel thread, or it has just ended
	}
	return nameOption(buf[:n]), nil
}

// nameOption finds the name in a command line of zero-terminated arguments.
func nameOption(cmdline []byte) string {
	args := bytes.Split(cmdline, []byte{0})
	for i := 0; i+1 < len(args); i++ {
		if name, ok := bytes.CutPrefix(args[i+1], []byte("guest=")); ok && string(args[i]) == "-name" {
			return string(name)
		}
	}
	return ""
}
