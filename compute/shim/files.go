package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
)

// The files of an instance's folder.
const (
	specFile    = "spec.json"
	stateFile   = "state.json"
	lockFile    = "lock"
	pidFile     = "pid"
	consoleFile = "console.log"
	logFile     = "shim.log"
	socketFile  = "shim.sock" // in the runtime folder
)

// order is what the server tells a shim, in spec.json. It holds the token: mode 0600.
type order struct {
	Kind    string          `json:"kind"`
	Tag     string          `json:"tag"`
	Runtime string          `json:"runtime"` // folder of this instance's sockets
	Spec    compute.Spec    `json:"spec"`
	Options json.RawMessage `json:"options"`
}

// writeWhole replaces a file so that a reader, or the next start after a crash,
// sees the old text or the new one.
func writeWhole(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // best effort: the folder goes with the instance
	}
	return err
}

func readWhole(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// lock takes the shim's lock for the life of the process. The kernel drops it
// with the process, so it tells who lives. It returns false when another shim has it.
func lock(dir string) (*os.File, bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	if errors.Is(err, unix.EAGAIN) {
		return nil, false, f.Close()
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("locking %s: %w", f.Name(), err), f.Close())
	}
	return f, true, nil
}

// alive asks whether a shim holds the lock, without touching it.
func alive(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("asking for the lock of %s: %w", dir, err)
	}
	return l.Type != unix.F_UNLCK, nil
}

// process names a process so that its number cannot be mistaken after reuse.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // since the boot of the host, in clock ticks
}

func self() (process, error) {
	start, err := startTime(os.Getpid())
	return process{PID: os.Getpid(), Start: start}, err
}

// kill ends the process if it is still the same one.
func (p process) kill() error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if start, err := startTime(p.PID); err != nil || start != p.Start {
		return nil // another process has the number now
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("killing process %d: %w", p.PID, err)
	}
	return nil
}

// startTime is field 22 of /proc/PID/stat; the second field is in brackets and
// may hold anything. Source: proc_pid_stat(5).
func startTime(pid int) (string, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", fmt.Errorf("reading /proc/%d/stat: %d fields", pid, len(fields)+2)
	}
	return fields[19], nil
}
