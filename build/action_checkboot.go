package build

import (
	"context"
	"fmt"

	"ingot.dev/ingot/region"
)

// checkBoot boots the new image in a virtual machine through its own loader:
// what a test in a container cannot show.
func (w *work) checkBoot(ctx context.Context) (map[string]any, error) {
	if w.Boot == nil {
		return nil, skipped{"This server has no virtual machines to boot the image in"}
	}
	ami, err := w.ami(ctx, w.Image)
	if err != nil {
		return nil, err
	}
	id := region.InstanceID(w.execution(), w.key())
	if err := w.remember(w.Plan.Image, w.product(id)); err != nil {
		return nil, err
	}
	console, err := w.Boot.CheckBoot(ctx, id, ami)
	if saving := w.writeWhole(w.Plan.Image, "boot-console.log", []byte(console)); saving != nil {
		return nil, saving
	}
	if err != nil {
		return nil, fmt.Errorf("booting the new image: %w", err)
	}
	return map[string]any{"booted": true}, nil
}
