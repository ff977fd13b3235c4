package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
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

func TestRealBuild(t *testing.T) {
	l := realLab(t)
	echo := l.component("echo", echoDocument)
	local, err := l.regions.Region(labRegion)
	l.check(err)
	snapshots, err := local.Disks.List(t.Context())
	l.check(err)
	if _, err := local.Disks.Materialise(t.Context(), snapshots[0].ID); err != nil {
		t.Fatal(err)
	}
	arn := l.image("web", func(i *model.Image) { i.ImageRecipe.WorkingDirectory = "/tmp" }, echo)
	begun := time.Now()
	image := l.build(arn)
	t.Logf("built in %s\n%s", time.Since(begun), l.log(arn))
	l.wantStatus(image, model.ImageStatusAvailable)
}
