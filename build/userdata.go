package build

import (
	"context"
	"fmt"
	"path"
	"strings"

	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/sanitize"
)

// markCleanUp asks for the clean-up, as the service's own user data does.
func (w *work) markCleanUp(ctx context.Context, c *guest.Client) error {
	return c.PutFile(ctx, path.Join(w.Plan.Directory, sanitize.Marker), 0o644, strings.NewReader(""))
}

// runUserData runs the script that replaces the service's user data. Its exit
// status does not matter, as with cloud-init.
func (w *work) runUserData(ctx context.Context, c *guest.Client) error {
	const script = "/run/ingot-user-data"
	if err := c.PutFile(ctx, script, 0o700, strings.NewReader(w.Plan.UserData)); err != nil {
		return err
	}
	w.log.note("Running the user data of the recipe")
	cmd := guest.Command{ID: "user-data-" + w.Instance.ID, Args: []string{script}}
	exit, err := c.Exec(ctx, cmd, nil, w.logCommand)
	if err != nil {
		return fmt.Errorf("running the user data: %w", err)
	}
	w.log.note("The user data ended with status %d", exit)
	return nil
}

func (w *work) logCommand(e guest.Event) error {
	if e.Exit != nil {
		return nil
	}
	return w.log.write(Line{Time: w.Now(), Stream: e.Stream, Text: e.Line})
}
