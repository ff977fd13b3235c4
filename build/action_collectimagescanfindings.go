package build

import (
	"context"

	"ingot.dev/ingot/model"
)

// noScanner is the reason of a scan that does not take place.
const noScanner = "This server has no scanner"

// collectImageScanFindings stores that there are no findings, and why. A scan
// never fails an image. Source: workflows.md §7.5, api.md §4.7.
func (w *work) collectImageScanFindings(ctx context.Context) (map[string]any, error) {
	_, err := w.advance(ctx, w.image, stageOf[w.Workflow.Type], func(i *model.Image) {
		i.ScanState = &model.ImageScanState{Status: model.ImageScanStatusAbandoned, Reason: noScanner}
	})
	return map[string]any{"runCommandId": w.commandID(), "status": "Cancelled", "output": noScanner}, err
}
