package build

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/sanitize"
)

// sanitizeInstance cleans the guest up. The clean-up takes its own marker away
// first, so one that was cut off is asked for again. Source: workflows.md §7.8.
func (w *work) sanitizeInstance(ctx context.Context) (map[string]any, error) {
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	begun := filepath.Join(w.dir(w.Plan.Image), "sanitize-"+w.Instance.ID)
	if err := w.remark(ctx, c, begun); err != nil {
		return nil, w.orLost(ctx, err)
	}
	skippedAll := false
	err = c.Sanitize(ctx, w.Plan.Directory, func(line string) error {
		skippedAll = skippedAll || line == sanitize.Skipped
		return w.log.write(Line{Time: w.Now(), Stream: "stdout", Text: line})
	})
	if err != nil {
		return nil, w.orLost(ctx, err)
	}
	text := "Cleaned up"
	if skippedAll {
		text = sanitize.Skipped
	}
	return map[string]any{"runCommandId": w.commandID(), "status": "Success", "output": text}, nil
}

// remark remembers in the file begun that the marker was there, and puts it
// back when the clean-up begins once more.
func (w *work) remark(ctx context.Context, c *guest.Client, begun string) error {
	if _, err := os.Stat(begun); err == nil {
		return w.markCleanUp(ctx, c)
	}
	var discard strings.Builder
	_, err := c.GetFile(ctx, path.Join(w.Plan.Directory, sanitize.Marker), 1<<10, &discard)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil && !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	return os.WriteFile(begun, nil, 0o600)
}
