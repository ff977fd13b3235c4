package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/internal/testenv"
)

func TestMain(m *testing.M) {
	os.Exit(computetest.Main(m, map[string]shim.Machine{compute.KindContainer: container.Machine{}}))
}

// rebootDocument restarts its machine by exit code, and in a nested document
// by module. The steps note when process 1 of their boot has started.
const rebootDocument = `
schemaVersion: 1.0
phases:
- name: build
  steps:
  - name: code
    action: ExecuteBash
    inputs: {commands: ['cut -d" " -f22 /proc/1/stat >> boots', 'test $(wc -l < boots) -eq 2 || exit 194']}
  - name: nested
    action: ExecuteDocument
    inputs: {document: nested.yml}
  - name: end
    action: ExecuteBash
    inputs: {commands: ['cut -d" " -f22 /proc/1/stat >> boots', program-of-the-test, pwd]}
`

const nestedDocument = `
schemaVersion: 1.0
phases: [{name: build, steps: [{name: r, action: Reboot}]}]
`

// machine is an instance for the tests.
type machine struct {
	*testing.T
	instance compute.Instance
}

// TestReboot restarts a real machine that nobody takes through it: with a
// systemd unit, and then with cron.
func TestReboot(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.Base)
	m := launch(t)
	m.put("/root/my work/awstoe", 0o700, build(t))
	m.put("/root/my work/doc.yml", 0o600, []byte(rebootDocument))
	m.put("/root/my work/nested.yml", 0o600, []byte(nestedDocument))
	m.put("/opt/bin/program-of-the-test", 0o755, []byte("#!/bin/sh\necho found\n"))
	t.Run("systemd", func(t *testing.T) {
		m := machine{t, m.instance}
		if out := m.sh("! command -v crontab"); out != "" {
			t.Fatalf("the base has a crontab: %s", out)
		}
		m.reboots()
		if left := m.sh("ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | grep component-documents || true"); left != "" {
			t.Errorf("left of the units: %s", left)
		}
	})
	t.Run("crontab", func(t *testing.T) {
		testenv.For(t, testenv.Network)
		m := machine{t, m.instance}
		m.sh("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends cron && echo '0 4 * * * mine' | crontab -")
		m.reboots()
		if table := m.sh("crontab -l"); table != "0 4 * * * mine\n" {
			t.Errorf("crontab = %q, want what was there before", table)
		}
	})
}

// reboots runs the document and waits until it is done, two boots later.
func (m machine) reboots() {
	m.Helper()
	boot, before := m.boot()
	// The connection may go before the answer comes: the machine shuts down.
	_ = m.try("cd '/root/my work' && rm -rf logs boots && PATH=/opt/bin:$PATH ./awstoe run -d doc.yml -l logs -i run-1")
	for boots := before; boots < before+2; {
		m.awaitRestart(boot)
		boot, boots = m.boot()
	}
	m.sh("cd '/root/my work' && while test -e logs/.state; do sleep 0.1; done")
	record := m.sh("cd '/root/my work' && cat logs/TOE_*/detailedoutput.json")
	if !strings.Contains(record, `"status":"success"`) || strings.Contains(record, `"status":"failed"`) {
		m.Errorf("detailedoutput.json: %s\n%s", record, m.sh("cat /root/my*/logs/TOE_*/console.log"))
	}
	if !strings.Contains(record, `{\"stdout\":\"found\\n/root/my work\"}`) {
		m.Errorf("PATH or the current directory changed: %s", record)
	}
	if console := m.sh("cat /root/my*/logs/TOE_*/console.log"); strings.Contains(console, "has not rebooted") {
		m.Errorf("a reboot was not seen: %s", console)
	}
	boots := strings.Fields(m.sh("cat '/root/my work/boots'"))
	if len(boots) != 3 || boots[0] == boots[1] || boots[1] == boots[2] || boots[0] == boots[2] {
		m.Errorf("the steps ran in the boots %v, want three", boots)
	}
}

func build(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "awstoe")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building awstoe: %v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func launch(t *testing.T) machine {
	t.Helper()
	dir, tag := t.TempDir(), computetest.NewTag()
	runtime := filepath.Join("/run", "ingot-test-"+tag) // short, as sockets need it
	t.Cleanup(func() { os.RemoveAll(runtime) })
	d, err := container.New(container.Config{Dir: dir, Runtime: runtime, Tag: tag, Command: computetest.ShimCommand()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Sweep(context.Background(), nil); err != nil {
			t.Error(err)
		}
	})
	i, err := d.Launch(t.Context(), compute.Spec{
		ID: computetest.NewID(), Hostname: "reboot", Disk: computetest.Overlay(t, dir), CPUs: 1, MemoryMiB: 512, MaxPIDs: 500, Token: "t",
	})
	if err != nil {
		t.Fatal(err)
	}
	return machine{t, i}
}

// patience is for a boot, and for what a document does in it.
const patience = 2 * time.Minute

func (m machine) agent(use func(context.Context, *guest.Client) error) error {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), patience)
	defer cancel()
	c, err := m.instance.Agent(ctx)
	if err != nil {
		m.Fatal(err)
	}
	defer c.Close()
	return use(ctx, c)
}

func (m machine) put(path string, mode os.FileMode, data []byte) {
	m.Helper()
	if err := m.agent(func(ctx context.Context, c *guest.Client) error {
		return c.PutFile(ctx, path, mode, bytes.NewReader(data))
	}); err != nil {
		m.Fatal(err)
	}
}

// sh runs a script, which must succeed, and returns what it prints.
func (m machine) sh(script string) (out string) {
	m.Helper()
	if err := m.agent(func(ctx context.Context, c *guest.Client) (err error) {
		out, err = c.Output(ctx, 1<<20, "bash", "-c", script)
		return err
	}); err != nil {
		m.Fatalf("%s: %v: %s", script, err, out)
	}
	return out
}

func (m machine) try(script string) error {
	m.Helper()
	return m.agent(func(ctx context.Context, c *guest.Client) error {
		_, err := c.Output(ctx, 1<<20, "bash", "-c", script)
		return err
	})
}

// boot is the boot that the machine is in, and how many there have been.
func (m machine) boot() (id string, count int) {
	m.Helper()
	for id == "" { // the agent may go away in the middle of it
		_ = m.agent(func(ctx context.Context, c *guest.Client) error {
			h, err := c.Hello(ctx)
			id = h.BootID
			return err
		})
	}
	state, err := m.instance.State(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	return id, state.Boots
}

// awaitRestart waits until the machine has left a boot.
func (m machine) awaitRestart(boot string) {
	m.Helper()
	expired := m.agent(func(ctx context.Context, c *guest.Client) error {
		if h, err := c.Hello(ctx); err == nil && h.BootID == boot {
			_, _ = c.Output(ctx, 1, "sleep", "infinity") // ends with the boot
		}
		return ctx.Err()
	})
	if expired != nil {
		m.Fatalf("the machine has not restarted within %v", patience)
	}
}
