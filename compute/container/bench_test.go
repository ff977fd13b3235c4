package container

import (
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/internal/testenv"
)

func TestProbe(t *testing.T) {
	testenv.For(t, testenv.Container)
	d := newDriver(t, t.TempDir(), t.TempDir(), computetest.NewTag())
	start := time.Now()
	r := d.Probe(t.Context())
	t.Logf("probed in %s: %+v", time.Since(start), r)
	if !r.OK {
		t.Errorf("Probe = %+v, want OK on a host that the tests run on", r)
	}
	for _, c := range r.Checks {
		if c.OK == (c.Remedy != "") {
			t.Errorf("check %+v: a remedy goes with a failure", c)
		}
	}
	if left := computetest.Leftovers(t, d.Tag, "ingot-probe-"); len(left) > 0 {
		t.Errorf("left by the probe: %v", left)
	}
}

// BenchmarkLaunchStop is an instance's whole life: to the agent's answer, to
// the end of the guest's boot, and to a disk that may be read.
func BenchmarkLaunchStop(b *testing.B) {
	testenv.For(b, testenv.Container, testenv.Base)
	dir, tag := b.TempDir(), computetest.NewTag()
	d := newDriver(b, dir, runtimeFolder(b, tag), tag)
	var agent, ready, stop time.Duration
	for b.Loop() {
		spec := compute.Spec{
			ID: computetest.NewID(), Disk: computetest.Overlay(b, dir), CPUs: 2, MemoryMiB: 1024, Token: "t",
		}
		start := time.Now()
		i, err := d.Launch(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		c, err := i.Agent(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		agent += time.Since(start)
		if _, err := c.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		ready += time.Since(start)
		c.Close()
		start = time.Now()
		if s, err := i.Stop(b.Context(), time.Minute); err != nil || s.Phase != compute.PhaseOff {
			b.Fatalf("Stop = %+v, %v", s, err)
		}
		stop += time.Since(start)
		if err := i.Destroy(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	for name, d := range map[string]time.Duration{"agent": agent, "ready": ready, "stop": stop} {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name+"-ms")
	}
}
