package qemu_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/internal/testenv"
)

// BenchmarkBoot measures the way to the agent and back to off, under
// emulation. The processor time of QEMU hardly depends on what else the host does.
func BenchmarkBoot(b *testing.B) {
	testenv.For(b, testenv.QEMU, testenv.Base)
	for _, boot := range []compute.Boot{compute.BootDirect, compute.BootBIOS, compute.BootUEFI} {
		b.Run(string(boot), func(b *testing.B) {
			d := newDriver(b, qemu.Config{Accel: qemu.AccelTCG})
			var agent, cpu, off time.Duration
			for b.Loop() {
				spec := newSpec(b, boot, testenv.BaseDisk())
				start := time.Now()
				instance := startGuest(b, d, spec)
				agent += time.Since(start)
				cpu += cpuTime(b, spec.ID)
				start = time.Now()
				if s, err := instance.Stop(b.Context(), bootLimit); err != nil || s.Phase != compute.PhaseOff {
					b.Fatalf("Stop = %+v, %v, want off", s, err)
				}
				off += time.Since(start)
			}
			b.ReportMetric(agent.Seconds()/float64(b.N), "s-to-agent")
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s-to-agent")
			b.ReportMetric(off.Seconds()/float64(b.N), "s-to-off")
		})
	}
}

// startGuest launches an instance and waits for its agent.
func startGuest(b *testing.B, d *qemu.Driver, spec compute.Spec) compute.Instance {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), bootLimit)
	defer cancel()
	instance, err := d.Launch(ctx, spec)
	if err != nil {
		b.Fatal(err)
	}
	client, err := instance.Agent(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if err := client.Close(); err != nil {
		b.Fatal(err)
	}
	return instance
}

// ticksPerSecond is Linux's USER_HZ, the same on all its architectures in use.
const ticksPerSecond = 100

// cpuTime is what the QEMU process of an instance has used, by fields 14 and 15
// of proc_pid_stat(5).
func cpuTime(b *testing.B, id string) time.Duration {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(text), "guest=ingot.") || !strings.Contains(string(text), id) {
			continue // another process, or one that has ended
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(f), "stat"))
		if err != nil {
			b.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		ticks := 0
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
		return time.Duration(ticks) * time.Second / ticksPerSecond
	}
	b.Fatalf("found no QEMU of %s", id)
	return 0
}
