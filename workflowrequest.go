package ingot

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"ingot.dev/ingot/model"
)

// maxImageWorkflows is the number of workflows of an image. Source: api.md §10.
const maxImageWorkflows = 10

// DefaultWorkflows are those of an image whose request names none, in the form
// that GetImage returns. Source: api.md §3.7.
func DefaultWorkflows(partition, region string, tests bool) []model.WorkflowConfiguration {
	latest := func(t model.WorkflowType, name string) model.WorkflowConfiguration {
		arn := ManagedWorkflowARN(partition, region, t, name, NewVersion(1, 0, 0).Wildcard(0))
		return model.WorkflowConfiguration{WorkflowArn: arn.String()}
	}
	list := []model.WorkflowConfiguration{latest(model.WorkflowTypeBuild, "build-image")}
	if tests {
		list = append(list, latest(model.WorkflowTypeTest, "test-image"))
	}
	return list
}

// CheckWorkflows checks the member workflows of a pipeline or image, which are
// resources of the namespace by and suit its kind of recipe. Source: api.md
// §3.6, workflows.md §1.1.
func CheckWorkflows(ctx context.Context, r RecordReader, by ARN, recipe Kind, list []model.WorkflowConfiguration, role string) error {
	if len(list) == 0 {
		return nil
	}
	if role == "" {
		return Errorf(CodeRequest, "An execution role is required to provide workflows")
	}
	if len(list) > maxImageWorkflows {
		return InvalidField("workflows", "An image has at most %d workflows, not %d.", maxImageWorkflows, len(list))
	}
	single, outputs := map[string]bool{}, map[string]int{}
	for i, w := range list {
		arn, err := referenceARN(by, fmt.Sprintf("workflows[%d].workflowArn", i), w.WorkflowArn, KindWorkflow)
		if err != nil {
			return err
		}
		if err := checkStage(i, arn, w, single); err != nil {
			return err
		}
		found, err := resolveWorkflow(ctx, r, arn, recipe)
		if err != nil {
			return err
		}
		if err := checkWorkflowParameters(i, found, w.Parameters); err != nil {
			return err
		}
		if err := checkWorkflowOutputs(i, found, outputs); err != nil {
			return err
		}
	}
	return nil
}

// checkStage keeps to one workflow for each stage but TEST. single holds the
// stages that came before.
func checkStage(i int, arn ARN, w model.WorkflowConfiguration, single map[string]bool) error {
	if arn.WorkflowType == "test" {
		return nil
	}
	if single[arn.WorkflowType] {
		return Errorf(CodeCombination, "An image has at most one %s workflow.", strings.ToUpper(arn.WorkflowType))
	}
	single[arn.WorkflowType] = true
	if w.ParallelGroup != "" || w.OnFailure != "" {
		return Errorf(CodeCombination, "The members 'parallelGroup' and 'onFailure' of workflows[%d] are for TEST workflows only.", i)
	}
	return nil
}

// resolveWorkflow finds a workflow that suits a kind of recipe.
func resolveWorkflow(ctx context.Context, r RecordReader, arn ARN, recipe Kind) (*Workflow, error) {
	record, err := r.Resolve(ctx, arn)
	if err != nil {
		return nil, err
	}
	if forContainers := strings.Contains(arn.Name, "container"); arn.IsManaged() && forContainers != (recipe == KindContainerRecipe) {
		return nil, Errorf(CodeRequest, "The managed workflow '%s' is not for a recipe of the kind %s.", arn.Name, recipe)
	}
	return Decode[Workflow](record)
}

func checkWorkflowParameters(i int, w *Workflow, given []model.WorkflowParameter) error {
	declared := map[string]string{}
	for _, p := range w.Parameters {
		declared[p.Name] = p.Type
	}
	seen := map[string]bool{}
	for n, p := range given {
		at := fmt.Sprintf("workflows[%d].parameters[%d]", i, n)
		kind, ok := declared[p.Name]
		if !ok {
			return invalidParameter(at+".name", "The workflow '%s' has no parameter '%s'.", w.Name, p.Name)
		}
		if seen[p.Name] {
			return invalidParameter(at+".name", "The parameter '%s' is given twice.", p.Name)
		}
		seen[p.Name] = true
		if err := checkWorkflowValues(at+".value", kind, p); err != nil {
			return err
		}
	}
	for _, p := range w.Parameters {
		if p.DefaultValue == nil && !seen[p.Name] {
			return invalidParameter(fmt.Sprintf("workflows[%d].parameters", i),
				"The workflow '%s' needs a value for its parameter '%s', which has no default.", w.Name, p.Name)
		}
	}
	return nil
}

// workflowInteger is an integer as text. Source: workflows.md §2.2.
var workflowInteger = regexp.MustCompile(`^-?[0-9]+$`)

func checkWorkflowValues(at, kind string, p model.WorkflowParameter) error {
	if kind != "stringList" && len(p.Value) != 1 {
		return invalidParameter(at, "The parameter '%s' has one value, not %d.", p.Name, len(p.Value))
	}
	for n, v := range p.Value {
		at := fmt.Sprintf("%s[%d]", at, n)
		switch {
		case utf8.RuneCountInString(v) > maxParameterLength:
			return invalidParameter(at, "A parameter value has at most %d characters.", maxParameterLength)
		case kind == "integer" && !workflowInteger.MatchString(v),
			kind == "boolean" && !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false"):
			return invalidParameter(at, "The parameter '%s' is of the type %s, which '%s' is not.", p.Name, kind, v)
		}
	}
	return nil
}

// invalidParameter is the error for a parameter that does not suit a workflow.
func invalidParameter(field, format string, args ...any) error {
	err := InvalidField(field, format, args...)
	err.Code = CodeRequest
	return err
}

// checkWorkflowOutputs keeps the outputs of an image's workflows apart. seen
// holds those that came before and the position of their workflow.
func checkWorkflowOutputs(i int, w *Workflow, seen map[string]int) error {
	for _, name := range w.Outputs {
		if first, ok := seen[name]; ok {
			return Errorf(CodeRequest, "Both workflows[%d] and workflows[%d] have an output '%s'. The names of outputs must be unique among the workflows of an image.", first, i, name)
		}
		seen[name] = i
	}
	return nil
}
