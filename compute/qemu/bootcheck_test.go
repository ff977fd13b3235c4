package qemu_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/internal/testenv"
)

func TestBootCheckReachesTheAgent(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Base)
	for _, boot := range []compute.Boot{compute.BootBIOS, compute.BootUEFI} {
		t.Run(string(boot), func(t *testing.T) {
			d := newDriver(t, qemu.Config{Accel: qemu.AccelTCG})
			ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
			defer cancel()
			spec := newSpec(t, boot, testenv.BaseDisk())
			c, err := qemu.BootCheck(ctx, d, spec)
			if err != nil {
				t.Fatalf("BootCheck: %v\n%s", err, strings.Join(c.Console, "\n"))
			}
			t.Logf("agent after %s", c.After.Round(time.Millisecond))
			if c.Reached != qemu.ReachedAgent {
				t.Errorf("Reached = %q (%s), want the agent", c.Reached, c.Note)
			}
			if _, err := os.Stat(spec.Disk); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the disk with the agent is still there: %v", err)
			}
		})
	}
}

func TestBootCheckOfAnEmptyDisk(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	empty := filepath.Join(t.TempDir(), "empty.raw")
	if err := os.WriteFile(empty, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for boot, hint := range map[compute.Boot]string{compute.BootBIOS: "grub-install", compute.BootUEFI: "BOOTX64.EFI"} {
		t.Run(string(boot), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
			defer cancel()
			c, err := qemu.BootCheck(ctx, newDriver(t, qemu.Config{Accel: qemu.AccelTCG}), newSpec(t, boot, empty))
			var bootErr *qemu.BootError
			if !errors.As(err, &bootErr) || !strings.Contains(bootErr.Hint, hint) {
				t.Errorf("BootCheck = %+v, %v, want a BootError with a hint at %s", c, err, hint)
			}
			t.Logf("after %s: %v", c.After.Round(time.Millisecond), err)
		})
	}
}
