package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ingot.dev/ingot/compute/computetest"
)

var update = flag.Bool("update", false, "rewrite the expectations of the scripts")

// asProgram is set in the environment of a test binary that is to be ingot:
// the tests run the program as users do, without building it first.
const asProgram = "INGOT_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || filepath.Base(os.Args[0]) == "ingot" {
		os.Exit(testProgram())
	}
	os.Exit(computetest.Main(m, nil))
}

func testProgram() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return program(ctx)
}

// TestScripts runs the commands of testdata/script, each with an empty data directory.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			bin := filepath.Join(env.WorkDir, "bin")
			if err := os.Mkdir(bin, 0o755); err != nil {
				return err
			}
			for _, name := range []string{"ingot", "awstoe"} {
				if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
					return err
				}
			}
			runtime, err := os.MkdirTemp("", "ingot") // short, for sockets
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(runtime) })
			env.Setenv("PATH", fmt.Sprintf("%s:%s", bin, os.Getenv("PATH")))
			env.Setenv("INGOT_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("INGOT_RUNTIME", runtime)
			env.Setenv("INGOT_LISTEN", "127.0.0.1:0")
			env.Setenv(asProgram, "1")
			return nil
		},
	})
}
