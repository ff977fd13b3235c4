package ingot

import (
	"context"
	"fmt"
	"strings"

	"ingot.dev/ingot/model"
)

// managedWorkflows are the image workflows that the server ships, at version
// 1.0.0, build 1, by type and name. Source: workflows.md §8.
var managedWorkflows = map[string]bool{
	"build/build-image": true, "test/test-image": true, "distribution/distribute-image": true,
	"build/build-container": true, "test/test-container": true, "distribution/distribute-container": true,
	"build/express-build-image": true, "test/express-test-image": true, "build/express-build-container": true,
	"build/build-image-from-iso": true,
}

// ManagedWorkflow is the ARN of the newest version of a managed workflow.
func ManagedWorkflow(partition, region, workflowType, name string) ARN {
	return ARN{
		Partition: partition, Region: region, Account: ManagedAccount,
		Kind: KindWorkflow, WorkflowType: workflowType, Name: name, Version: NewVersion(1, 0, 0).Wildcard(0),
	}
}

// DefaultWorkflows are those of an image whose request names none, in the form
// that GetImage returns. Source: api.md §3.7.
func DefaultWorkflows(partition, region string, tests bool) []model.WorkflowConfiguration {
	list := []model.WorkflowConfiguration{{WorkflowArn: ManagedWorkflow(partition, region, "build", "build-image").String()}}
	if tests {
		list = append(list, model.WorkflowConfiguration{WorkflowArn: ManagedWorkflow(partition, region, "test", "test-image").String()})
	}
	return list
}

// CheckWorkflows checks the member workflows of a pipeline or image, which are
// resources of the namespace by and suit its kind of recipe. Source: api.md §3.6.
func CheckWorkflows(ctx context.Context, r RecordReader, by ARN, recipe Kind, list []model.WorkflowConfiguration, role string) error {
	if len(list) == 0 {
		return nil
	}
	if role == "" {
		return Errorf(CodeRequest, "An execution role is required to provide workflows")
	}
	if len(list) > 10 {
		return InvalidField("workflows", "An image has at most 10 workflows, not %d.", len(list))
	}
	single := map[string]bool{}
	for i, w := range list {
		arn, err := referenceARN(by, fmt.Sprintf("workflows[%d].workflowArn", i), w.WorkflowArn, KindWorkflow)
		if err != nil {
			return err
		}
		if arn.WorkflowType != "test" {
			if single[arn.WorkflowType] {
				return Errorf(CodeCombination, "An image has at most one %s workflow.", strings.ToUpper(arn.WorkflowType))
			}
			single[arn.WorkflowType] = true
			if w.ParallelGroup != "" || w.OnFailure != "" {
				return Errorf(CodeCombination, "The members 'parallelGroup' and 'onFailure' of workflows[%d] are for TEST workflows only.", i)
			}
		}
		if err := checkWorkflow(ctx, r, arn, recipe, w); err != nil {
			return err
		}
	}
	return nil
}

// checkWorkflow checks that a workflow exists and suits a kind of recipe.
func checkWorkflow(ctx context.Context, r RecordReader, arn ARN, recipe Kind, w model.WorkflowConfiguration) error {
	if !arn.IsManaged() {
		_, err := r.Resolve(ctx, arn)
		return err
	}
	shipped := NewVersion(1, 0, 0)
	if !managedWorkflows[arn.WorkflowType+"/"+arn.Name] || !arn.Version.Matches(shipped) || arn.Build > 1 {
		return NotFound(arn)
	}
	if forContainers := strings.Contains(arn.Name, "container"); forContainers != (recipe == KindContainerRecipe) {
		return Errorf(CodeRequest, "The managed workflow '%s' is not for a recipe of the kind %s.", arn.Name, recipe)
	}
	if len(w.Parameters) > 0 {
		return Errorf(CodeRequest, "The managed workflow '%s' has no parameters.", arn.Name)
	}
	return nil
}
