package build

import (
	"context"

	"ingot.dev/ingot"
)

// stepAction is the work of a step. What it returns are the step's outputs: the
// API shows them, and later steps read them. It may be cut off anywhere and is
// then called again, so it looks for what it is about to make. It reads its
// inputs from work.Step; they are resolved and checked.
type stepAction func(*work, context.Context) (map[string]any, error)

// stepActions are the step actions that this server can do, each in the file
// of its name; WaitForAction, which is no single step, is beside them. What
// they are is data of package workflow.
var stepActions = map[string]stepAction{
	"LaunchInstance":           (*work).launchInstance,
	"TerminateInstance":        (*work).terminateInstance,
	"WaitForSSMAgent":          (*work).waitForSSMAgent,
	"ExecuteComponents":        (*work).executeComponents,
	"RunCommand":               (*work).runCommand,
	"CollectImageMetadata":     (*work).collectImageMetadata,
	"CollectImageScanFindings": (*work).collectImageScanFindings,
	"SanitizeInstance":         (*work).sanitizeInstance,
	"RunSysPrep":               (*work).runSysPrep,
	"CreateImage":              (*work).createImage,
	"RegisterImage":            (*work).registerImage,
	"ExecuteStateMachine":      (*work).executeStateMachine,
	"DistributeImage":          (*work).distributeImage,
	"ModifyImageAttributes":    (*work).modifyImageAttributes,
	"ApplyImageConfigurations": (*work).applyImageConfigurations,
	"CheckBoot":                (*work).checkBoot,
}

// unbuilt are the actions that this server cannot do, and why.
var unbuilt = map[string]string{
	"BootstrapInstanceForContainer": "this server does not build container images yet",
	"DistributeContainerImage":      "this server does not build container images yet",
	"CreateImageFromIso":            "this server does not install Windows from an ISO file: it has no Windows host",
}

// refuse is the work of an action that this server cannot do.
func refuse(name, why string) stepAction {
	return func(*work, context.Context) (map[string]any, error) {
		return nil, ingot.Errorf(ingot.CodeNotImplemented, "the action %s cannot run: %s", name, why)
	}
}
