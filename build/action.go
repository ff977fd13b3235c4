package build

import "context"

// stepAction is the work of a step. What it returns are the step's outputs: the
// API shows them, and later steps read them. It may be cut off anywhere and is
// then called again, so it looks for what it is about to make. It reads its
// inputs from work.Step; they are resolved and checked.
type stepAction func(*work, context.Context) (map[string]any, error)

// stepActions are the step actions that this server can do, each in the file
// of its name. What they are is data of package workflow.
var stepActions = map[string]stepAction{
	"LaunchInstance":       (*work).launchInstance,
	"TerminateInstance":    (*work).terminateInstance,
	"ExecuteComponents":    (*work).executeComponents,
	"CollectImageMetadata": (*work).collectImageMetadata,
	"SanitizeInstance":     (*work).sanitizeInstance,
	"CreateImage":          (*work).createImage,
	"CheckBoot":            (*work).checkBoot,
}
