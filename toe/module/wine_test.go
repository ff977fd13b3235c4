//go:build !windows

package module_test

import (
	"os/exec"
	"testing"

	"ingot.dev/ingot/internal/testenv"
)

// TestUnderWine runs the tests of Windows, whose names begin so, and those of
// files that any system passes.
func TestUnderWine(t *testing.T) {
	testenv.For(t, testenv.Wine)
	out, err := exec.CommandContext(t.Context(), "../../scripts/test-windows", "-v", "-run", "^Test(Windows|Files$|Folders$|ListFiles|ReadFile)", "./toe/module").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
