package module

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// processTree is a program and whatever it started: its session, its
// descendants, and those that left both but still carry the mark in their
// environment. A daemon that also clears its environment escapes.
//
// A child subreaper would not help more: several steps and commands may run
// in one agent, and their orphans could not be told apart.
type processTree struct {
	mark string // NAME=value in the environment of the program
	pid  int
}

// prepare puts the program into a session of its own, so that it has no
// terminal to ask on, and ties its life to ours.
func (t *processTree) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
}

func (t *processTree) started(cmd *exec.Cmd) error {
	t.pid = cmd.Process.Pid
	return nil
}

func (t *processTree) release() {}

// end asks the tree to end and kills what is left after delay, or once its
// program is gone and nothing else of it lives. exited is closed by whoever
// waits for the program.
func (t *processTree) end(exited <-chan struct{}, delay time.Duration) {
	t.signal(unix.SIGTERM)
	deadline := time.NewTimer(delay)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if closed(exited) && len(t.members()) == 0 {
				return
			}
		case <-deadline.C:
			t.kill(poll.C)
			return
		}
	}
}

// kill repeats SIGKILL until no member is left: one may have been forking. A
// process in an uninterruptible system call outlasts the rounds.
func (t *processTree) kill(pause <-chan time.Time) {
	for range 100 {
		if t.signal(unix.SIGKILL) == 0 {
			return
		}
		<-pause
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// signal sends a signal to every member and returns how many there were. A
// member that has ended meanwhile is what we want.
func (t *processTree) signal(sig unix.Signal) int {
	_ = unix.Kill(-t.pid, sig) // all that is possible where /proc is not mounted
	members := t.members()
	for _, pid := range members {
		_ = unix.Kill(pid, sig)
	}
	return len(members)
}

// members are the living processes of the tree.
func (t *processTree) members() []int {
	parents := map[int]int{}
	in := map[int]bool{}
	entries, _ := os.ReadDir("/proc") // not mounted: no members known
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		parent, session, ok := processStat(pid)
		if !ok {
			continue
		}
		parents[pid] = parent
		in[pid] = pid == t.pid || session == t.pid || hasEnvironment(pid, t.mark)
	}
	return closure(parents, in)
}

// closure adds to the processes that are in the set all their descendants.
func closure(parents map[int]int, in map[int]bool) []int {
	var out []int
	for pid := range parents {
		for p, hops := pid, 0; hops <= len(parents); p, hops = parents[p], hops+1 {
			if in[p] {
				out = append(out, pid)
				break
			}
			if _, known := parents[p]; !known {
				break
			}
		}
	}
	return out
}

// processStat reads parent and session of a process that is not a zombie.
func processStat(pid int) (parent, session int, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	// pid (name) state ppid pgrp session …; the name may hold anything.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 4 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return 0, 0, false
	}
	parent, err1 := strconv.Atoi(string(f[1]))
	session, err2 := strconv.Atoi(string(f[3]))
	return parent, session, err1 == nil && err2 == nil
}

func hasEnvironment(pid int, mark string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(b, []byte(mark))
}
