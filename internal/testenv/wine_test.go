//go:build !windows

package testenv_test

import (
	"os/exec"
	"testing"

	"ingot.dev/ingot/internal/testenv"
)

// TestUnderWine runs the tests of Windows, whose names begin so, as programs of
// Windows.
func TestUnderWine(t *testing.T) {
	testenv.For(t, testenv.Wine)
	args := []string{"-v", "-run", "^TestWindows", "./guest", "./toe/..."}
	out, err := exec.CommandContext(t.Context(), "../../scripts/test-windows", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
