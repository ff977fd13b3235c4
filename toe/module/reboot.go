package module

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

var reboot = Module{
	Name:        "Reboot",
	Description: "Restarts the machine; the run goes on with the next step.",
	Platforms:   []string{"linux", "windows"},
	Optional:    true,
	NoTimeout:   true,
	Inputs: []Input{
		{Name: "delaySeconds", Type: Integer, Default: "0", Check: checkSeconds, Description: "How long to wait before the restart."},
	},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		timer := time.NewTimer(time.Duration(c.Inputs[0].Int("delaySeconds")) * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil, &Reboot{}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	},
}

// checkSeconds is for a text that is an integer; its upper bound keeps
// time.Duration from overflowing (§14).
func checkSeconds(s string) error {
	if n, err := strconv.ParseInt(s, 10, 64); err != nil || n < 0 || n > 2_147_483_647 {
		return fmt.Errorf("'%s' is not from 0 to 2147483647", s)
	}
	return nil
}
