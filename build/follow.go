package build

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	"ingot.dev/ingot/logs"
)

// Follow reads the log of the build whose folder is dir and calls emit for
// each line. With follow it goes on until the line that ends the build, or ctx
// ends, and waits for a log that does not exist yet.
func Follow(ctx context.Context, dir string, follow bool, emit func(Line)) error {
	_, err := logs.Follow{Wait: follow}.Read(ctx, filepath.Join(dir, logFile), func(e logs.Entry) error {
		var line Line
		if json.Unmarshal(e.Line, &line) == nil {
			emit(line)
		}
		return nil
	})
	return err
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
