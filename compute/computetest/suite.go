package computetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/internal/testenv"
)

// Suite describes a driver to Run.
type Suite struct {
	// New makes a driver over the same folders: called again, it is the server
	// after a restart.
	New func(t *testing.T, dir, runtime, tag string) compute.Driver
	// Boot is the longest that the agent may take to answer.
	Boot time.Duration
}

// bench is one driver at work in a test.
type bench struct {
	*testing.T
	ctx     context.Context
	suite   Suite
	dir     string
	runtime string
	tag     string
	driver  compute.Driver
}

// Run checks a driver against the contract of package compute. Each test ends
// with a look at the host: nothing may be left.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*bench){
		"life":     testLife,
		"poweroff": testPowerOff,
		"killed":   testShimKilled,
		"allGone":  testEverythingKilled,
		"memory":   testMemory,
		"network":  testNetwork,
		"bounds":   testStopGrace,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+5*s.Boot)
			defer cancel()
			b := &bench{T: t, ctx: ctx, suite: s, dir: t.TempDir(), tag: NewTag()}
			b.runtime = filepath.Join("/run", "ingot-test-"+b.tag)
			t.Cleanup(func() { os.RemoveAll(b.runtime) })
			b.driver = s.New(t, b.dir, b.runtime, b.tag)
			test(b)
			b.sweep()
		})
	}
}

// launch starts an instance and waits for its agent.
func (b *bench) launch() (compute.Instance, *guest.Client) {
	b.Helper()
	spec := compute.Spec{
		ID: NewID(), Hostname: "suite", Disk: Overlay(b, b.dir), Boot: compute.BootDirect,
		CPUs: 1, MemoryMiB: 512, Token: "secret of the suite",
	}
	i, err := b.driver.Launch(b.ctx, spec)
	if err != nil {
		b.Fatalf("Launch: %v", err)
	}
	return i, b.agent(i)
}

func (b *bench) agent(i compute.Instance) *guest.Client {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, b.suite.Boot)
	defer cancel()
	c, err := i.Agent(ctx)
	if err != nil {
		s, _ := i.State(b.ctx)
		console, _ := os.ReadFile(s.Console)
		b.Fatalf("Agent: %v\nstate: %+v\nconsole: %s", err, s, console)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

func (b *bench) output(c *guest.Client, args ...string) string {
	b.Helper()
	out, err := c.Output(b.ctx, 1<<20, args...)
	if err != nil {
		b.Fatalf("Output(%q): %v", args, err)
	}
	return out
}

func (b *bench) state(i compute.Instance) compute.State {
	b.Helper()
	s, err := i.State(b.ctx)
	if err != nil {
		b.Fatalf("State: %v", err)
	}
	return s
}

// sweep ends everything and looks for what is left.
func (b *bench) sweep() {
	b.Helper()
	if err := b.driver.Sweep(b.ctx, nil); err != nil {
		b.Errorf("Sweep: %v", err)
	}
	if left := Leftovers(b, b.tag, b.dir, b.runtime); len(left) > 0 {
		b.Errorf("left on the host:\n%s", strings.Join(left, "\n"))
	}
	if files := Files(b, b.dir); len(files) > 0 {
		b.Errorf("left in the folder:\n%s", strings.Join(files, "\n"))
	}
}

// testLife follows an instance through reboot, restart of the server, stop,
// start and end; the disk remembers all along.
func testLife(b *bench) {
	i, c := b.launch()
	first := b.hello(c)
	if got := b.state(i); got.Phase != compute.PhaseRunning || got.Boots != 1 || got.ID != i.ID() {
		b.Errorf("State = %+v, want running, first boot", got)
	}
	if got := strings.TrimSpace(b.output(c, "hostname")); got != "suite" {
		b.Errorf("hostname = %q, want suite", got)
	}
	text := bytes.Repeat([]byte("what was written stays\n"), 10_000)
	if err := c.PutFile(b.ctx, "/var/tmp/suite/marker", 0o640, bytes.NewReader(text)); err != nil {
		b.Fatalf("PutFile: %v", err)
	}

	again := b.suite.New(b.T, b.dir, b.runtime, b.tag)
	adopted, err := again.Adopt(b.ctx, i.ID())
	if err != nil {
		b.Fatalf("Adopt: %v", err)
	}
	c2 := b.agent(adopted)
	if got := b.hello(c2).BootID; got != first.BootID {
		b.Errorf("boot id after Adopt = %q, want %q", got, first.BootID)
	}

	if err := c2.Power(b.ctx, guest.PowerReboot); err != nil {
		b.Fatalf("Power(reboot): %v", err)
	}
	c3 := b.agent(i)
	if got := b.hello(c3).BootID; got == first.BootID {
		b.Error("boot id is the same after a reboot")
	}
	if got := b.state(i).Boots; got != 2 {
		b.Errorf("Boots = %d, want 2", got)
	}
	b.wantMarker(c3, text)

	s, err := i.Stop(b.ctx, b.suite.Boot)
	if err != nil || s.Phase != compute.PhaseOff {
		b.Fatalf("Stop = %+v, %v, want off", s, err)
	}
	if s, err := adopted.Stop(b.ctx, time.Second); err != nil || s.Phase != compute.PhaseOff {
		b.Errorf("second Stop = %+v, %v, want off", s, err)
	}
	if left := networkLeftovers(b, b.tag); len(left) > 0 {
		b.Errorf("left after Stop: %v", left)
	}
	b.destroy(i)
}

func (b *bench) hello(c *guest.Client) guest.Hello {
	b.Helper()
	h, err := c.Hello(b.ctx)
	if err != nil {
		b.Fatalf("Hello: %v", err)
	}
	return h
}

func (b *bench) wantMarker(c *guest.Client, want []byte) {
	b.Helper()
	var got bytes.Buffer
	mode, err := c.GetFile(b.ctx, "/var/tmp/suite/marker", 1<<20, &got)
	if err != nil {
		b.Fatalf("GetFile: %v", err)
	}
	if mode != 0o640 {
		b.Errorf("mode = %o, want 640", mode)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		b.Errorf("file after a reboot (-want +got):\n%s", diff)
	}
	if _, err := c.GetFile(b.ctx, "/var/tmp/suite/none", 1, &got); !errors.Is(err, fs.ErrNotExist) {
		b.Errorf("GetFile of a missing file = %v, want not exist", err)
	}
}

func (b *bench) destroy(i compute.Instance) {
	b.Helper()
	for range 2 {
		if err := i.Destroy(b.ctx); err != nil {
			b.Fatalf("Destroy: %v", err)
		}
	}
	if _, err := b.driver.Adopt(b.ctx, i.ID()); !errors.Is(err, compute.ErrGone) {
		b.Errorf("Adopt after Destroy = %v, want ErrGone", err)
	}
}

// testPowerOff lets the guest power itself off, and starts it again.
func testPowerOff(b *bench) {
	spec := compute.Spec{
		ID: NewID(), Disk: Overlay(b, b.dir), Boot: compute.BootDirect, CPUs: 2, MemoryMiB: 512, Token: "t",
	}
	for round := range 2 {
		i, err := b.driver.Launch(b.ctx, spec)
		if err != nil {
			b.Fatalf("Launch: %v", err)
		}
		c := b.agent(i)
		if round == 1 {
			b.output(c, "test", "-e", "/var/tmp/first")
		}
		b.output(c, "touch", "/var/tmp/first")
		if err := c.Power(b.ctx, guest.PowerOff); err != nil {
			b.Fatalf("Power(off): %v", err)
		}
		if s, err := i.Wait(b.ctx); err != nil || s.Phase != compute.PhaseOff {
			b.Fatalf("Wait = %+v, %v, want off", s, err)
		}
		if left := Leftovers(b, b.tag, b.dir, b.runtime); len(left) > 0 {
			b.Errorf("left after a power-off: %s", strings.Join(left, "\n"))
		}
	}
}

// testShimKilled takes the holder away: the guest must go with it.
func testShimKilled(b *bench) {
	i, _ := b.launch()
	b.killProcesses(func(cmdline string) bool { return strings.Contains(cmdline, "shim "+filepath.Join(b.dir, i.ID())) })
	s, err := i.Wait(b.ctx)
	if err != nil || s.Phase != compute.PhaseCrashed || s.Reason == "" {
		b.Errorf("Wait = %+v, %v, want crashed with a reason", s, err)
	}
	// Known again by another server: still crashed, and its overlay is there to look at.
	adopted, err := b.suite.New(b.T, b.dir, b.runtime, b.tag).Adopt(b.ctx, i.ID())
	if err != nil {
		b.Fatalf("Adopt: %v", err)
	}
	if got := b.state(adopted).Phase; got != compute.PhaseCrashed {
		b.Errorf("Phase = %s, want crashed", got)
	}
	if _, err := adopted.Agent(b.ctx); err == nil {
		b.Error("Agent of a crashed instance answers")
	}
}

// testEverythingKilled takes all of an instance's processes away at once, as
// the end of the host's memory might; the sweep that follows tidies up.
func testEverythingKilled(b *bench) {
	kept, keptAgent := b.launch()
	i, _ := b.launch()
	b.killProcesses(func(cmdline string) bool { return strings.Contains(cmdline, i.ID()) })
	if err := b.driver.Sweep(b.ctx, []string{kept.ID()}); err != nil {
		b.Fatalf("Sweep: %v", err)
	}
	if _, err := b.driver.Adopt(b.ctx, i.ID()); !errors.Is(err, compute.ErrGone) {
		b.Errorf("Adopt of a swept instance = %v, want ErrGone", err)
	}
	b.hello(keptAgent) // the sweep kept what it should
}

func (b *bench) killProcesses(match func(cmdline string) bool) {
	b.Helper()
	n := 0
	for pid, cmdline := range processes(b) {
		if p, err := strconv.Atoi(pid); err == nil && p != os.Getpid() && match(cmdline) {
			if err := syscall.Kill(p, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				b.Fatal(err)
			}
			n++
		}
	}
	if n == 0 {
		b.Fatal("found no process to kill")
	}
}

// testMemory asks for more memory than the guest has.
func testMemory(b *bench) {
	_, c := b.launch()
	exit, err := c.Exec(b.ctx, guest.Command{Args: []string{"sh", "-c", "head -c 2000m /dev/zero | tail -c 1999m | wc -c"}}, nil,
		func(e guest.Event) error {
			if strings.TrimSpace(e.Line) == strconv.Itoa(1999<<20) {
				b.Error("a guest of 512 MiB kept 1999 MiB in memory")
			}
			return nil
		})
	if err != nil {
		b.Fatalf("Exec: %v", err)
	}
	b.Logf("exit status %d", exit)
	b.hello(c)
}

// testNetwork reaches the world by name from the guest.
func testNetwork(b *bench) {
	testenv.For(b, testenv.Network)
	_, c := b.launch()
	if _, err := c.Ready(b.ctx); err != nil {
		b.Fatalf("Ready: %v", err)
	}
	head := b.output(c, "curl", "-sSfI", "--max-time", "30", "http://deb.debian.org/debian/")
	if !strings.HasPrefix(head, "HTTP/") {
		b.Errorf("a mirror answered %q", head)
	}
}

// testStopGrace stops a guest that does not want to: it ends all the same.
func testStopGrace(b *bench) {
	i, c := b.launch()
	unit := "[Service]\nExecStart=/bin/sh -c 'trap : TERM; while :; do sleep 1000 & wait; done'\nTimeoutStopSec=1000\n"
	if err := c.PutFile(b.ctx, "/run/systemd/system/stubborn.service", 0o644, strings.NewReader(unit)); err != nil {
		b.Fatal(err)
	}
	b.output(c, "systemctl", "daemon-reload")
	b.output(c, "systemctl", "start", "stubborn.service")
	s, err := i.Stop(b.ctx, 3*time.Second)
	if err != nil || s.Phase != compute.PhaseCrashed || s.Reason == "" {
		b.Errorf("Stop = %+v, %v, want crashed with a reason", s, err)
	}
}
