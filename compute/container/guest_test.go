package container

import (
	"context"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/internal/testenv"
)

// TestGuest looks around in one guest: what it is, and what it cannot do.
func TestGuest(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.Base)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, tag := t.TempDir(), computetest.NewTag()
	d := newDriver(t, dir, runtimeFolder(t, tag), tag)
	i, err := d.Launch(ctx, compute.Spec{
		ID: computetest.NewID(), Hostname: "guest", Disk: computetest.Overlay(t, dir), CPUs: 1, MemoryMiB: 512, MaxPIDs: 500, Token: "t",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Sweep(context.WithoutCancel(ctx), nil); err != nil {
			t.Error(err)
		}
	}()
	c, err := i.Agent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := c.Ready(ctx); err != nil || b.State != "running" {
		failed, _ := c.Output(ctx, 1<<16, "systemctl", "--failed", "--no-legend")
		t.Errorf("Ready = %+v, %v; failed units: %s", b, err, failed)
	}
	inv, err := c.Inventory(ctx)
	if err != nil || inv.Format != "dpkg" || len(inv.Packages) < 50 {
		t.Errorf("Inventory = %s, %d packages, %v", inv.Format, len(inv.Packages), err)
	}
	for _, tt := range confinement {
		out, exit := sh(ctx, t, c, tt.script)
		if (exit == 0) != tt.works || !strings.Contains(out, tt.prints) {
			t.Errorf("%s: exit %d, printed %q", tt.name, exit, out)
		}
	}
}

var confinement = []struct {
	name   string
	script string
	works  bool
	prints string
}{
	{"root owns its files", "stat -c %u:%g /etc/shadow; setcap cap_net_raw+ep /usr/bin/true; touch /root/x", true, "0:42"},
	{"address by DHCP", "networkctl status eth0 | grep -i DHCP4", true, "DHCP4"},
	{"names resolve", "resolvectl dns eth0", true, "10."},
	{"no device nodes", "mknod /tmp/sda b 8 0", false, ""},
	{"no host mounts", "grep -v -e ' / ' -e ' /proc' -e ' /sys' -e ' /dev' -e ' /run' /proc/self/mountinfo | grep -e /tmp/ -e /work", false, ""},
	{"no loop mounts", "mount -o loop /etc/hostname /mnt", false, ""},
	{"no sysctl of the host", "echo 1 > /proc/sys/vm/drop_caches", false, ""},
	{"no sysrq", "echo h > /proc/sysrq-trigger", false, ""},
	{"no kernel log", "dmesg", false, ""},
	{"no clock", "date -s 2001-01-01", false, ""},
	{"no modules", "modprobe dummy", false, ""},
	{"limits are the host's", "ls /sys/fs/cgroup/memory.max && echo max > /sys/fs/cgroup/memory.max", false, ""},
	{"metadata of the host's cloud", "curl -sS --max-time 1 http://169.254.169.254/", false, ""},
	{"services of the host", "curl -sS --max-time 1 http://$(ip route show default | cut -d' ' -f3):22/", false, ""},
	{"processes are counted", "(for i in $(seq 600); do sleep 5 & done) 2>&1 | grep -m1 unavailable", true, "unavailable"},
}

func sh(ctx context.Context, t *testing.T, c *guest.Client, script string) (string, int) {
	t.Helper()
	var out strings.Builder
	exit, err := c.Exec(ctx, guest.Command{Args: []string{"bash", "-c", script}}, nil, func(e guest.Event) error {
		if out.Len() < 1<<16 {
			out.WriteString(e.Line + "\n")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Exec %q: %v", script, err)
	}
	return out.String(), exit
}
