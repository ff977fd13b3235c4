package module

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
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
	mark  string // NAME=value in the environment of the program
	pid   int
	start uint64 // of the program, in clock ticks since the system started; 0: it was gone already
}

// prepare puts the program into a session of its own, so that it has no
// terminal to ask on, and ties its life to ours.
func (t *processTree) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
}

// end asks the tree to end and kills what is left after delay, or once its
// program is gone and nothing else of it lives. exited is closed by whoever
// waits for the program.
func (t *processTree) end(exited <-chan struct{}, delay time.Duration) {
	if p, ok := readProcess(t.pid); ok && !closed(exited) {
		t.start = p.start
	}
	t.signal(unix.SIGTERM)
	deadline := time.NewTimer(delay)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for quiet := 0; quiet < quietLooks; {
		select {
		case <-poll.C:
			quiet++
			if !closed(exited) || !t.look().empty() {
				quiet = 0
			}
		case <-deadline.C:
			t.kill(poll.C)
			return
		}
	}
}

// quietLooks is how often in a row nobody must be found: a look is no atomic
// thing, and a process may be forking away from it.
const quietLooks = 3

// kill repeats SIGKILL until no member is left. A process in an
// uninterruptible system call outlasts the rounds.
func (t *processTree) kill(pause <-chan time.Time) {
	for round, quiet := 0, 0; round < 200 && quiet < quietLooks; round++ {
		quiet++
		if !t.signal(unix.SIGKILL).empty() {
			quiet = 0
			continue // at once: it may be faster than the pause
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

// signal sends a signal to every member. One that has ended meanwhile is what
// we want.
func (t *processTree) signal(sig unix.Signal) census {
	_ = unix.Kill(-t.pid, sig) // all that is possible where /proc is not mounted
	found := t.look()
	for _, pid := range found.members {
		_ = unix.Kill(pid, sig)
	}
	return found
}

// census is what one look at the processes of the system found.
type census struct {
	members  []int // of the tree, living
	starting bool  // an orphan was just starting a program: whose it is cannot be told
}

func (c census) empty() bool { return len(c.members) == 0 && !c.starting }

// look finds the members. It lists the processes again until there is none
// that it has not seen: one may end while its successor starts.
func (t *processTree) look() census {
	parents, in := map[int]int{}, map[int]bool{}
	var unknown []int
	seen := map[int]bool{}
	for range 50 {
		fresh := unseenProcesses(seen)
		if fresh == nil {
			break
		}
		for _, pid := range fresh {
			p, ok := readProcess(pid)
			if !ok {
				continue
			}
			parents[pid] = p.parent
			if pid == os.Getpid() {
				continue
			}
			in[pid] = pid == t.pid || p.session == t.pid
			if in[pid] || p.start < t.start {
				continue
			}
			environment, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
			in[pid] = bytes.Contains(environment, []byte(t.mark))
			if err == nil && len(environment) == 0 {
				unknown = append(unknown, pid)
			}
		}
	}
	return census{closure(parents, in), slices.ContainsFunc(unknown, func(pid int) bool { return adopts(parents, parents[pid]) })}
}

// adopts reports whether orphans of ours may have a process as their parent:
// this one and its ancestors.
func adopts(parents map[int]int, pid int) bool {
	for p, hops := os.Getpid(), 0; p != 0 && hops <= len(parents); p, hops = parents[p], hops+1 {
		if p == pid {
			return true
		}
	}
	return false
}

// unseenProcesses lists the processes that are not among seen, and adds them.
func unseenProcesses(seen map[int]bool) []int {
	var fresh []int
	entries, _ := os.ReadDir("/proc") // not mounted: no processes known
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && !seen[pid] {
			seen[pid] = true
			fresh = append(fresh, pid)
		}
	}
	return fresh
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

// process is what /proc/PID/stat says of one that is not a zombie.
type process struct {
	parent, session int
	start           uint64 // clock ticks since the system started
}

func readProcess(pid int) (process, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	// pid (name) state ppid pgrp session …, the 22nd is the start; the name may
	// hold anything.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return process{}, false
	}
	parent, err1 := strconv.Atoi(string(f[1]))
	session, err2 := strconv.Atoi(string(f[3]))
	start, err3 := strconv.ParseUint(string(f[19]), 10, 64)
	return process{parent, session, start}, err1 == nil && err2 == nil && err3 == nil
}
