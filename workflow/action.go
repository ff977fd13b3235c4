package workflow

import (
	"regexp"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// Action is what a step may do.
type Action struct {
	Name    string
	Types   []model.WorkflowType // of the workflows that may use it
	Timeout time.Duration        // default
	Maximum time.Duration        // of the timeout
	// Rollback says whether there is something to undo when a later step fails.
	Rollback bool
	Managed  bool // for the documents of the catalogue only
	Inputs   []Input
	Outputs  []ActionOutput
}

// ActionOutput is a value that later steps can read.
type ActionOutput struct {
	Name string
	Kind Kind
}

// Kind is the shape of a value.
type Kind string

// The kinds of inputs and outputs.
const (
	String        Kind = "string"
	Integer       Kind = "integer"
	Boolean       Kind = "boolean"
	StringList    Kind = "list of strings"
	StringMap     Kind = "mapping of strings"
	StringListMap Kind = "mapping of lists of strings"
	Object        Kind = "mapping"
	ObjectList    Kind = "list of mappings"
	Objects       Kind = "mapping or list of mappings"
)

// Input is one input of an action, or a member of one.
type Input struct {
	Name     string
	Kind     Kind
	Required bool
	Default  string         // of a scalar that is absent; empty: none, or what the rest of the image says
	Values   []string       // the only ones allowed
	Pattern  *regexp.Regexp // of a string
	Max      int            // bytes of a string, entries of a mapping; 0: any
	JSON     bool           // the text is JSON
	Step     bool           // must be a path to an output of a step
	Members  []Input        // of Object, ObjectList and Objects
}

var (
	everyType        = []model.WorkflowType{model.WorkflowTypeBuild, model.WorkflowTypeTest, model.WorkflowTypeDistribution}
	notDistribution  = []model.WorkflowType{model.WorkflowTypeBuild, model.WorkflowTypeTest}
	onlyTest         = []model.WorkflowType{model.WorkflowTypeTest}
	onlyDistribution = []model.WorkflowType{model.WorkflowTypeDistribution}
)

var (
	instanceID = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)
	amiID      = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	anyARN     = regexp.MustCompile(`^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:\S+$`)
	base64Text = regexp.MustCompile(`^[A-Za-z0-9+/\s]*={0,2}\s*$`)
)

const maxPayload = 16 << 10 // bytes of JSON that an action hands on

// onInstance are the inputs of an action on an instance.
var onInstance = []Input{{Name: "instanceId", Kind: String, Required: true, Pattern: instanceID}}

// commandOutputs are those of a command that ran on an instance.
var commandOutputs = []ActionOutput{{"runCommandId", String}, {"status", String}, {"output", String}}

// actions are all step actions. CheckBoot is our own: what tests in a container
// cannot show. Source: workflows.md §6, §7.
var actions = []*Action{
	{
		Name: "LaunchInstance", Types: everyType, Timeout: 75 * time.Minute, Maximum: 720 * time.Minute, Rollback: true,
		Inputs: []Input{
			{Name: "waitFor", Kind: String, Required: true, Values: []string{"ssmAgent"}},
			{Name: "imageIdOverride", Kind: String, Pattern: amiID},
			{Name: "instanceTypesOverride", Kind: StringList},
			{Name: "healthCheck", Kind: String, Default: "STATUS_CHECK_PASSED", Values: []string{"RUNNING", "STATUS_CHECK_PASSED"}},
		},
		Outputs: []ActionOutput{{"instanceId", String}, {"instanceType", String}},
	},
	{
		Name: "BootstrapInstanceForContainer", Types: everyType, Timeout: 60 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: onInstance, Outputs: commandOutputs,
	},
	{
		Name: "ExecuteComponents", Types: notDistribution, Timeout: 720 * time.Minute, Maximum: 1440 * time.Minute,
		Inputs: onInstance, Outputs: commandOutputs,
	},
	{
		Name: "CollectImageMetadata", Types: everyType, Timeout: 30 * time.Minute, Maximum: 720 * time.Minute, Rollback: true,
		Inputs: onInstance, Outputs: []ActionOutput{{"osVersion", String}, {"associationId", String}},
	},
	{
		Name: "RunSysPrep", Types: everyType, Timeout: 60 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: onInstance, Outputs: commandOutputs,
	},
	{
		Name: "SanitizeInstance", Types: everyType, Timeout: 60 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: onInstance, Outputs: commandOutputs,
	},
	{
		Name: "CreateImage", Types: everyType, Timeout: 720 * time.Minute, Maximum: 4320 * time.Minute,
		Inputs: onInstance, Outputs: []ActionOutput{{"imageId", String}},
	},
	{
		Name: "CreateImageFromIso", Types: everyType, Timeout: 720 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: onInstance, Outputs: []ActionOutput{{"amiName", String}, {"snapshotId", String}, {"architecture", String}},
	},
	registerImage,
	{
		Name: "CollectImageScanFindings", Types: onlyTest, Timeout: 120 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: onInstance, Outputs: commandOutputs,
	},
	{
		Name: "RunCommand", Types: everyType, Timeout: 720 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: []Input{
			onInstance[0],
			{Name: "documentName", Kind: String, Required: true},
			{Name: "parameters", Kind: StringListMap},
			{Name: "documentVersion", Kind: String, Default: "$DEFAULT"},
		},
		Outputs: []ActionOutput{{"runCommandId", String}, {"status", String}, {"output", StringList}},
	},
	{
		Name: "WaitForSSMAgent", Types: everyType, Timeout: 60 * time.Minute, Maximum: 180 * time.Minute,
		Inputs: onInstance, Outputs: []ActionOutput{{"status", String}},
	},
	{
		Name: "WaitForAction", Types: everyType, Timeout: 4320 * time.Minute, Maximum: 10080 * time.Minute,
		Inputs: []Input{
			{Name: "snsTopicArn", Kind: String, Pattern: anyARN},
			{Name: "lambdaFunctionName", Kind: String},
			{Name: "payload", Kind: String, JSON: true, Max: maxPayload},
		},
		Outputs: []ActionOutput{{"action", String}, {"reason", String}},
	},
	{
		Name: "ExecuteStateMachine", Types: everyType, Timeout: 360 * time.Minute, Maximum: 1440 * time.Minute,
		Inputs: []Input{
			{Name: "stateMachineArn", Kind: String, Required: true, Pattern: anyARN},
			{Name: "input", Kind: String, Default: "{}", JSON: true, Max: maxPayload},
		},
		Outputs: []ActionOutput{{"executionArn", String}, {"output", String}},
	},
	{
		Name: "TerminateInstance", Types: everyType, Timeout: 30 * time.Minute, Maximum: 720 * time.Minute,
		Inputs: []Input{onInstance[0], {Name: "waitForTermination", Kind: Boolean, Default: "false"}},
	},
	{
		Name: "CheckBoot", Types: onlyTest, Timeout: 60 * time.Minute, Maximum: 60 * time.Minute, Managed: true,
		Outputs: []ActionOutput{{"booted", Boolean}},
	},
	distributeImage,
	modifyImageAttributes,
	applyImageConfigurations,
	{
		Name: "DistributeContainerImage", Types: onlyDistribution, Timeout: 120 * time.Minute, Maximum: 720 * time.Minute,
		Inputs:  onInstance,
		Outputs: []ActionOutput{{"status", String}, {"succeededRegions", StringList}, {"failedRegions", StringList}},
	},
}

// imageActions distribute AMIs, and do not go together with containers.
var imageActions = []*Action{distributeImage, modifyImageAttributes, applyImageConfigurations}

const distributeContainer = "DistributeContainerImage"

// FindAction returns an action by its name, or nil.
func FindAction(name string) *Action {
	if i := slices.IndexFunc(actions, func(a *Action) bool { return a.Name == name }); i >= 0 {
		return actions[i]
	}
	return nil
}

// ActionNames are the names of all actions.
func ActionNames() []string {
	var names []string
	for _, a := range actions {
		names = append(names, a.Name)
	}
	return names
}

// actionNames are the names of the actions that users may have in a workflow type.
func actionNames(t model.WorkflowType) []string {
	var names []string
	for _, a := range actions {
		if slices.Contains(a.Types, t) && !a.Managed {
			names = append(names, a.Name)
		}
	}
	return names
}

// output is the output of a name, or nil.
func (a *Action) output(name string) *ActionOutput {
	if i := slices.IndexFunc(a.Outputs, func(o ActionOutput) bool { return o.Name == name }); i >= 0 {
		return &a.Outputs[i]
	}
	return nil
}

func (a *Action) outputNames() []string {
	var names []string
	for _, o := range a.Outputs {
		names = append(names, o.Name)
	}
	return names
}

// findInput is the input of a name, or nil.
func findInput(inputs []Input, name string) *Input {
	if i := slices.IndexFunc(inputs, func(in Input) bool { return in.Name == name }); i >= 0 {
		return &inputs[i]
	}
	return nil
}

func inputNames(inputs []Input) []string {
	var names []string
	for _, in := range inputs {
		names = append(names, in.Name)
	}
	return names
}
