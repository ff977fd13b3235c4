package qemu_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/internal/testenv"
)

// bootLimit is for a boot under emulation on a loaded machine.
const bootLimit = 4 * time.Minute

func TestDirectBoot(t *testing.T) {
	d := newDriver(t)
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	start := time.Now()
	instance, err := d.Launch(ctx, newSpec(t, compute.BootDirect, testenv.BaseDisk(), "raw"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("held by its shim after %s", time.Since(start))
	defer dumpConsole(t, instance)
	client, err := instance.Agent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	hello, err := client.Hello(ctx)
	t.Logf("agent after %s: %+v, %v", time.Since(start), hello, err)
	booted, err := client.Ready(ctx)
	t.Logf("%s after %s, %v", booted.State, time.Since(start), err)
	out, err := client.Output(ctx, 1<<16, "sh", "-c", "systemctl --failed; systemd-analyze; systemd-analyze blame | head -20; ip -br a; cat /etc/resolv.conf; hostname; uname -r")
	t.Logf("%s%v", out, err)
	start = time.Now()
	state, err := instance.Stop(ctx, time.Minute)
	t.Logf("off after %s: %+v, %v", time.Since(start), state, err)
	if state.Phase != compute.PhaseOff {
		t.Errorf("phase after Stop = %s (%s), want off", state.Phase, state.Reason)
	}
}

func dumpConsole(t *testing.T, instance compute.Instance) {
	if !t.Failed() {
		return
	}
	state, err := instance.State(context.Background())
	t.Logf("state: %+v, %v", state, err)
	text, _ := os.ReadFile(state.Console)
	t.Logf("console:\n%s", text)
	log, _ := os.ReadFile(strings.Replace(state.Console, "console.log", "shim.log", 1))
	t.Logf("shim:\n%s", log)
}

func TestBootCheck(t *testing.T) {
	for _, boot := range []compute.Boot{compute.BootBIOS, compute.BootUEFI} {
		t.Run(string(boot), func(t *testing.T) {
			d := newDriver(t)
			ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
			defer cancel()
			c, err := qemu.BootCheck(ctx, d, newSpec(t, boot, testenv.BaseDisk(), "raw"))
			t.Logf("%+v", c)
			if err != nil {
				t.Fatal(err)
			}
			if c.Reached != qemu.ReachedAgent {
				t.Errorf("Reached = %q (%s), want the agent", c.Reached, c.Note)
			}
		})
	}
}
