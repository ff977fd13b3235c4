package qemu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/internal/testenv"
)

// standIn makes a program that speaks QMP on descriptor 4 and then does what
// script says, in QEMU's place. QMP's greeting and the answer to its first
// command are done.
func standIn(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qemu")
	text := "#!/bin/bash\n" + `echo '{"QMP":{}}' >&4; read -r _ <&4; echo '{"return":{},"id":1}' >&4` + "\n" + script + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func newPlace(t *testing.T) shim.Place {
	t.Helper()
	runtime, err := os.MkdirTemp("", "iq") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	dir := t.TempDir()
	return shim.Place{
		Spec: compute.Spec{ID: "i-1"}, Tag: "t", Dir: dir, Runtime: runtime,
		Console: filepath.Join(dir, "console.log"), Log: slog.New(slog.DiscardHandler),
	}
}

const shutdown = `echo '{"event":"SHUTDOWN","data":{"guest":true,"reason":"%s"}}' >&4`

func TestBootEnds(t *testing.T) {
	needBash(t)
	quit := "; read -r _ <&4; exit 0"
	for name, tt := range map[string]struct {
		script string
		want   shim.End
		reason string
	}{
		"power-off":        {fmt.Sprintf(shutdown, "guest-shutdown") + quit, shim.EndOff, ""},
		"reboot":           {fmt.Sprintf(shutdown, "guest-reset") + quit, shim.EndRebooted, ""},
		"panic device":     {fmt.Sprintf(shutdown, "guest-panic") + quit, shim.EndCrashed, "guest-panic"},
		"panic, then hang": {"echo 'Kernel panic - not syncing: no root'; sleep 1000", shim.EndCrashed, "no root"},
		"panic, reboot":    {"echo 'Kernel panic - not syncing: no root'; sleep 0.3; " + fmt.Sprintf(shutdown, "guest-reset") + quit, shim.EndCrashed, "no root"},
		"dies":             {"echo 'out of luck' >&2; exit 1", shim.EndCrashed, "out of luck"},
		"killed":           {"kill -9 $$", shim.EndCrashed, "signal: killed"},
		"disk not closed":  {fmt.Sprintf(shutdown, "guest-shutdown") + "; echo 'No space left' >&2; exit 1", shim.EndCrashed, "No space left"},
		"garbage":          {"echo garbage >&4; exit 0", shim.EndCrashed, "QEMU died"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &vm{place: newPlace(t), command: Command{Binary: standIn(t, tt.script)}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			end, err := v.Boot(ctx)
			if end != tt.want || (err == nil) != (tt.reason == "") {
				t.Fatalf("Boot = %v, %v, want %v", end, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("Boot = %v, want %q in it", err, tt.reason)
			}
		})
	}
}

func needBash(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash for a program in QEMU's place")
	}
}

func TestBootThatDoesNotStart(t *testing.T) {
	needBash(t)
	bad := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(bad, []byte("#!/bin/bash\necho 'unknown machine q35' >&2; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ binary, want string }{
		{bad, "unknown machine q35"},
		{filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		v := &vm{place: newPlace(t), command: Command{Binary: tt.binary}}
		if end, err := v.Boot(t.Context()); end != shim.EndCrashed || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Boot of %s = %v, %v, want %q", tt.binary, end, err, tt.want)
		}
	}
}

// TestBootIsKilledWithItsContext also sees that nothing of QEMU is left.
func TestBootIsKilledWithItsContext(t *testing.T) {
	needBash(t)
	place := newPlace(t)
	pidFile := filepath.Join(place.Dir, "pid")
	v := &vm{place: place, command: Command{Binary: standIn(t, "echo $$ > "+pidFile+".new; mv "+pidFile+".new "+pidFile+"; exec sleep 1000")}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		end, err := v.Boot(ctx)
		if end != shim.EndCrashed {
			err = fmt.Errorf("Boot = %v, %w", end, err)
		}
		done <- err
	}()
	pid := waitForPID(t, pidFile)
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Boot = %v, want killed", err)
	}
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}

func waitForPID(t *testing.T, file string) int {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		text, err := os.ReadFile(file)
		if err == nil {
			var pid int
			if _, err := fmt.Sscan(string(text), &pid); err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
	return 0
}

func TestPowerOffWithoutQEMU(t *testing.T) {
	if err := (&vm{}).PowerOff(); err == nil {
		t.Error("PowerOff without QEMU succeeds")
	}
}

// TestStrays finds and ends processes by their name, and only those.
func TestStrays(t *testing.T) {
	needBash(t)
	ours := startNamed(t, "ingot.straytest.i-1")
	other := startNamed(t, "ingot.straytest2.i-1")
	ids, err := strays(namePrefix("straytest"))
	if err != nil || len(ids) != 1 || ids[0] != "i-1" {
		t.Fatalf("strays = %v, %v, want i-1", ids, err)
	}
	for range 2 { // the second finds nothing
		if err := killStrays(processName("straytest", "i-1")); err != nil {
			t.Fatal(err)
		}
	}
	if state := ours(); !strings.Contains(state, "killed") {
		t.Errorf("the stray ended with %q, want killed", state)
	}
	if ids, err := strays(namePrefix("straytest2")); err != nil || len(ids) != 1 {
		t.Errorf("strays of another installation = %v, %v, want one", ids, err)
	}
	if err := killStrays(processName("straytest2", "i-1")); err != nil {
		t.Fatal(err)
	}
	other()
}

// startNamed starts a process with QEMU's name option; the function waits for its end.
func startNamed(t *testing.T, name string) func() string {
	t.Helper()
	ready, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd := exec.Command("bash", "-c", "echo ready; while :; do read -r -t 1000 _ <&3; done", "bash", "-name", "guest="+name)
	hold, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.ExtraFiles = w, []*os.File{hold}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	hold.Close()
	if _, err := ready.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.Close(); cmd.Process.Kill() })
	return func() string {
		err := cmd.Wait()
		return fmt.Sprint(err)
	}
}

func TestKVMMissing(t *testing.T) {
	none := kvmMissing(filepath.Join(t.TempDir(), "kvm"))
	if none.OK || none.Remedy == "" || !strings.Contains(none.Detail, "does not exist") {
		t.Errorf("kvmMissing = %+v, want a finding with a remedy", none)
	}
	if there := kvmMissing(os.DevNull); !there.OK {
		t.Errorf("kvmMissing(%s) = %+v, want OK", os.DevNull, there)
	}
}

// TestProbeGuest runs the probe under emulation, where it always ends well.
func TestProbeGuest(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	f, err := runProbe(t.Context(), AccelTCG, time.Minute)
	if err != nil || !f.OK {
		t.Errorf("runProbe = %+v, %v, want OK", f, err)
	}
	if f, err = runProbe(t.Context(), "none-such", time.Minute); err != nil || f.OK || f.Detail == "" {
		t.Errorf("runProbe with an unknown accelerator = %+v, %v, want a finding", f, err)
	}
	if f, err = runProbe(t.Context(), AccelTCG, time.Millisecond); err != nil || f.OK || !strings.Contains(f.Detail, "hangs") {
		t.Errorf("runProbe with no time = %+v, %v, want a guest that hangs", f, err)
	}
}

func TestVerdictIsCachedPerBoot(t *testing.T) {
	d, err := New(Config{Tag: "t", Cache: filepath.Join(t.TempDir(), "cache")})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := d.readVerdict(); err != nil || v.BootID != "" {
		t.Errorf("readVerdict of an empty cache = %+v, %v", v, err)
	}
	want := verdict{BootID: "b", Finding: compute.Finding{Name: "kvm", OK: true}}
	if err := d.writeVerdict(want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.readVerdict(); err != nil || got != want {
		t.Errorf("readVerdict = %+v, %v, want %+v", got, err, want)
	}
	if err := os.WriteFile(d.verdictPath(), []byte(`{"bootId`), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := d.readVerdict(); err != nil || v.BootID != "" {
		t.Errorf("readVerdict of a torn file = %+v, %v, want none", v, err)
	}
}

func TestFindOVMF(t *testing.T) {
	dir := t.TempDir()
	pair := Firmware{filepath.Join(dir, "code"), filepath.Join(dir, "vars")}
	if _, err := findOVMF([]Firmware{pair}); !errors.Is(err, errNoOVMF) {
		t.Errorf("findOVMF of nothing = %v, want errNoOVMF", err)
	}
	for _, f := range []string{pair.Code, pair.Vars} {
		if err := os.WriteFile(f, []byte(f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := findOVMF([]Firmware{{"a", "b"}, pair}); err != nil || got != pair {
		t.Errorf("findOVMF = %+v, %v, want %+v", got, err, pair)
	}
}
