package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
)

// realLab is a lab with real containers of the base disk.
func realLab(t *testing.T) *lab {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	tag := computetest.NewTag()
	runtime := filepath.Join("/run", "ingot-test-"+tag)
	t.Cleanup(func() { os.RemoveAll(runtime) })
	instances := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	driver, err := container.New(container.Config{Dir: instances, Runtime: runtime, Tag: tag, Command: []string{self, "shim"}})
	if err != nil {
		t.Fatal(err)
	}
	drivers := map[string]compute.Driver{compute.KindContainer: driver}
	l := newLab(t, drivers, testenv.BaseDisk(), func(c *Config) { c.Instances = instances })
	t.Cleanup(func() {
		// What is left here is the builder's fault; the host is cleaned up first.
		left := computetest.Leftovers(t, tag, instances, runtime)
		if err := driver.Sweep(context.Background(), nil); err != nil {
			t.Error(err)
		}
		if len(left) > 0 {
			t.Errorf("left on the host:\n%s", strings.Join(left, "\n"))
		}
	})
	return l
}

// materialise makes the cached disk of the base, which a server has after its first build.
func (l *lab) materialise() {
	l.Helper()
	local, err := l.regions.Region(labRegion)
	l.check(err)
	_, err = local.Disks.Materialise(l.Context(), region.SnapshotID("base"))
	l.check(err)
}

func inTmp(i *model.Image) { i.ImageRecipe.WorkingDirectory = "/tmp" }

func TestRealBuild(t *testing.T) {
	l := realLab(t)
	l.materialise()
	arn := l.image("web", inTmp, l.component("echo", echoDocument))
	begun := time.Now()
	image := l.build(arn)
	t.Logf("built in %s\n%s", time.Since(begun), l.log(arn))
	l.wantStatus(image, model.ImageStatusAvailable)
}

const longDocument = `name: long
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Tick
        action: ExecuteBash
        inputs:
          commands:
            - for i in $(seq 1 30); do echo tick $i.; sleep 0.1; done
            - mkdir -p /root/.ssh && echo key > /root/.ssh/authorized_keys && echo x > /var/tmp/x
      - name: Restart
        action: Reboot
      - name: After
        action: ExecuteBash
        inputs:
          commands:
            - echo after the restart
  - name: test
    steps:
      - name: CleanedUp
        action: ExecuteBash
        inputs:
          commands:
            - test ! -e /root/.ssh/authorized_keys
            - test ! -e /var/tmp/x
            - test -s /etc/machine-id
            - echo the image is clean
`

// TestRealInterruptedBuild stops the server without grace in the middle of a
// component. The instance lives on, and the next server goes on with its run.
func TestRealInterruptedBuild(t *testing.T) {
	l := realLab(t)
	l.materialise()
	arn := l.image("web", func(i *model.Image) { inTmp(i); tested(i) }, l.component("long", longDocument))
	l.check(l.builder.StartImage(t.Context(), arn))
	l.awaitLine(arn, "tick 5.")
	l.kill()
	l.start()
	image := l.await(arn)
	log := l.log(arn)
	l.wantStatus(image, model.ImageStatusAvailable)
	for i := 1; i <= 30; i++ {
		if n := strings.Count(log, fmt.Sprintf("Stdout: tick %d.\n", i)); n != 1 {
			t.Errorf("tick %d is in the log %d times, want once", i, n)
		}
	}
	for _, line := range []string{"after the restart", "the image is clean"} {
		if strings.Count(log, "Stdout: "+line+"\n") != 1 {
			t.Errorf("the log does not have %q once", line)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
	logs, err := filepath.Glob(filepath.Join(l.dir, "builds", ID(arn), "logs/web/1.0.0/1/wf-*/Apply*Components/TOE_*/console.log"))
	if err != nil || len(logs) != 2 {
		t.Errorf("the runner's logs are %v (%v), want those of build and test", logs, err)
	}
	l.wantSteps(arn, keyTest, model.WorkflowExecutionStatusCompleted, testedSteps...)
	l.wantSteps(arn, keyBoot, model.WorkflowExecutionStatusCompleted, "CheckBoot SKIPPED")
}

// awaitLine waits until a build has logged a line with a text.
func (l *lab) awaitLine(arn ingot.ARN, text string) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
	defer cancel()
	found := false
	err := Follow(ctx, filepath.Join(l.dir, "builds", ID(arn)), true, func(line Line) {
		if strings.Contains(line.Text, text) {
			found = true
			cancel()
		}
	})
	if !found {
		l.Fatalf("the build did not log %q: %v\n%s", text, err, l.log(arn))
	}
}
