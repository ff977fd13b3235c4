// Package computetest is the suite that every compute driver passes, and what
// its tests need: a test program that can be a shim, an agent built on demand,
// and a look at what is left on the host.
//
//	func TestMain(m *testing.M) {
//		os.Exit(computetest.Main(m, map[string]shim.Machine{compute.KindContainer: container.Machine{}}))
//	}
//
//	func TestDriver(t *testing.T) {
//		testenv.For(t, testenv.Container, testenv.Base)
//		computetest.Run(t, computetest.Suite{New: ..., Boot: 10 * time.Second})
//	}
package computetest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/guest/agentbin"
	"ingot.dev/ingot/internal/testenv"
)

// Main runs the tests, or a shim when the program was started as one. Before
// the tests it builds the agent, unless the environment names one.
func Main(m *testing.M, machines map[string]shim.Machine) int {
	if len(os.Args) == 3 && os.Args[1] == "shim" {
		if err := shim.Main(os.Args[2], machines); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if os.Getenv(agentbin.Env) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "ingot-agent-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = buildAgent(filepath.Join(dir, "agent"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the agent for the tests:", err)
		return 1
	}
	return m.Run()
}

func buildAgent(path string) error {
	cmd := exec.Command("go", "build", "-o", path, "ingot.dev/ingot/cmd/ingot-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Setenv(agentbin.Env, path)
}

// ShimCommand is the Command of a driver in a program that uses Main.
func ShimCommand() []string { return []string{"/proc/self/exe", "shim"} }

// NewID makes an instance id.
func NewID() string {
	b := make([]byte, 9)
	rand.Read(b) // never fails since Go 1.24
	return "i-" + hex.EncodeToString(b)[:17]
}

// NewTag makes a tag that no other test on the host has.
func NewTag() string { return "t" + hex.EncodeToString([]byte(rand.Text()[:3])) }

// Overlay makes a disk for one instance over the base that testenv.Base promises.
func Overlay(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "overlay-"+rand.Text()[:8]+".qcow2")
	out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", testenv.BaseDisk(), path).CombinedOutput()
	if err != nil {
		t.Fatalf("making an overlay: %v: %s", err, out)
	}
	return path
}
