package container

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/internal/testenv"
)

func TestMain(m *testing.M) {
	os.Exit(computetest.Main(m, map[string]shim.Machine{compute.KindContainer: Machine{}}))
}

func newDriver(t testing.TB, dir, runtime, tag string) *Driver {
	t.Helper()
	d, err := New(Config{Dir: dir, Runtime: runtime, Tag: tag, Command: computetest.ShimCommand()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDriver(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.Base)
	computetest.Run(t, computetest.Suite{
		New: func(t *testing.T, dir, runtime, tag string) compute.Driver {
			return newDriver(t, dir, runtime, tag)
		},
		Boot: 20 * time.Second,
	})
}

// runtimeFolder is short, as sockets need it.
func runtimeFolder(t testing.TB, tag string) string {
	t.Helper()
	dir := filepath.Join("/run", "ingot-test-"+tag)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
