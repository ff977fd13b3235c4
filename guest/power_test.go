package guest

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// What the agent wrote survives a reboot, for runs go on after it, and is gone
// with a power-off, for the disk may become an image.
func TestPowerAndTheAgentsState(t *testing.T) {
	for power, kept := range map[Power]bool{PowerReboot: true, PowerOff: false} {
		state := t.TempDir()
		c := agentOf(t, &Server{StateDirectory: state, Leave: func(Power) error { return nil }})
		if _, err := c.Exec(t.Context(), Command{ID: "x", Args: []string{"/bin/true"}}, nil, func(Event) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := c.Power(t.Context(), power); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(state)
		if gone := errors.Is(err, fs.ErrNotExist); gone == kept {
			t.Errorf("after %s: the state directory: %v; kept should be %v", power, err, kept)
		}
	}
}
