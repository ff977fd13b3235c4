//go:build !windows

package testenv_test

import (
	"os/exec"
	"testing"

	"ingot.dev/ingot/internal/testenv"
)

// TestUnderWine runs tests as programs of Windows: all of the modules, except
// those that need programs of other systems or quicker sockets than Wine has;
// elsewhere those that are meant for Windows, whose names say so.
func TestUnderWine(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	testenv.For(t, testenv.Wine)
	for name, args := range map[string][]string{
		"modules": {"-skip", "^(TestExecuteBinary|TestS3Download|TestS3Upload|TestServersThatLie)$", "./toe/module"},
		"others":  {"-run", "^TestWindows", "./guest", "./toe", "./toe/startup"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "../../scripts/test-windows", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
