package catalog

import (
	"embed"
	"path"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// Workflow is one managed image workflow: the file TYPE/NAME.yaml below
// workflows. Who changes a document changes WorkflowVersion, too.
type Workflow struct {
	Name     string
	Type     model.WorkflowType
	Data     string
	Document *workflow.Document
}

// WorkflowVersion is that of all managed workflows. Source: workflows.md §8.
var WorkflowVersion = ingot.NewVersion(1, 0, 0)

//go:embed workflows
var workflowFiles embed.FS

// Workflows are the managed workflows in the order of type and name.
var Workflows = sync.OnceValue(func() []Workflow {
	list, err := loadWorkflows()
	if err != nil {
		panic(err) // a test holds the files to be right
	}
	return list
})

func loadWorkflows() ([]Workflow, error) {
	var all []Workflow
	for _, t := range []model.WorkflowType{model.WorkflowTypeBuild, model.WorkflowTypeTest, model.WorkflowTypeDistribution} {
		list, err := loadDocuments(workflowFiles, path.Join("workflows", strings.ToLower(string(t))), func(name, data string) (Workflow, error) {
			document, findings := workflow.CheckManaged([]byte(data), t)
			return Workflow{Name: name, Type: t, Data: data, Document: document}, findings.Err()
		})
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// Managed is the workflow as a resource of a region.
func (w Workflow) Managed(region string, created time.Time) ingot.ManagedWorkflow {
	return ingot.ManagedWorkflow{
		Partition: "aws", Region: region, Name: w.Name, Type: w.Type, Version: WorkflowVersion,
		Description: w.Document.Description, Data: w.Data, Created: created,
		WorkflowDocument: ingot.WorkflowDocument{Parameters: w.Document.Parameters, Outputs: w.Document.OutputNames()},
	}
}
