package build

import "context"

// waitForSSMAgent waits until the instance answers again, after a step has
// restarted it, say. Source: workflows.md §7.13.
func (w *work) waitForSSMAgent(ctx context.Context) (map[string]any, error) {
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.Hello(ctx); err != nil {
		return nil, w.orLost(ctx, err)
	}
	w.awaitBoot(ctx, c)
	return map[string]any{"status": "Online"}, nil
}
