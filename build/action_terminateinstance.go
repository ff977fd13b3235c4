package build

import (
	"context"
)

// terminateInstance removes an instance. Here it is gone when the step is over,
// whatever waitForTermination says. Source: workflows.md §7.12.
func (w *work) terminateInstance(ctx context.Context) (map[string]any, error) {
	return nil, w.unmake(ctx, w.image, w.Instance)
}
