package guest

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Booting is how far the guest's init system is: "running" and "degraded" (a
// unit failed) are the ends of a boot, "starting" is not; "unknown" without systemd.
type Booting struct {
	State string `json:"state"`
}

// Ready waits until the guest's init system has started everything, or ctx
// ends, and returns its state. A unit that hangs hangs this, too: give ctx a limit.
func (c *Client) Ready(ctx context.Context) (Booting, error) {
	var b Booting
	return b, c.call(ctx, "GET", "/v1/ready", nil, &b, maxAnswer)
}

func ready(w http.ResponseWriter, r *http.Request) {
	state, err := waitBooted(r.Context())
	if err != nil {
		return // the caller is gone
	}
	answer(w, Booting{State: state})
}

// waitBooted asks systemd until its boot is over. It polls, for `systemctl
// --wait` needs the bus, which is started late and may be absent.
func waitBooted(ctx context.Context) (string, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return "unknown", nil
	}
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		// A state other than running makes the exit status 1: only the word counts.
		out, _ := exec.CommandContext(ctx, "systemctl", "is-system-running").Output()
		switch state := strings.TrimSpace(string(out)); state {
		case "initializing", "starting":
		case "":
			return "unknown", ctx.Err()
		default:
			return state, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
