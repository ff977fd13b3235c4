package build

import (
	"context"

	"ingot.dev/ingot"
)

// runSysPrep is for Windows, of which this server has no instances. Source:
// workflows.md §7.7.
func (w *work) runSysPrep(context.Context) (map[string]any, error) {
	return nil, errSysPrep
}

var errSysPrep = ingot.Errorf(ingot.CodeInvalid,
	"Sysprep is part of Windows, and the instance runs Linux; give the step a condition on $.imagebuilder.platform")
