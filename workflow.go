package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ingot.dev/ingot/model"
)

// Workflow is the stored document of a workflow.
type Workflow struct {
	model.Workflow
	Outputs []string `json:"outputs,omitempty"` // names that its document exports
}

// WorkflowDocument is what a workflow takes over from its checked document.
type WorkflowDocument struct {
	Parameters []model.WorkflowParameterDetail
	Outputs    []string
}

// CheckCreateWorkflow checks the members of a workflow against each other.
func CheckCreateWorkflow(in *model.CreateWorkflowRequest) error {
	if (in.Data == "") == (in.Uri == "") {
		return Errorf(CodeCombination, "Exactly one of the parameters 'data' and 'uri' must be given.")
	}
	return CheckTags("tags", in.Tags)
}

// CreateWorkflow stores a new build of the workflow version arn. The same
// content as the latest build is CodeExists. Source: api.md §2.6, §3.9.
func CreateWorkflow(ctx context.Context, tx Tx, arn ARN, in *model.CreateWorkflowRequest, doc WorkflowDocument, now time.Time) (ARN, error) {
	if arn.Version.IsWildcard() {
		return ARN{}, versionError(in.SemanticVersion, "a workflow needs its whole version, without x")
	}
	w := &Workflow{Outputs: doc.Outputs, Workflow: model.Workflow{
		Name: in.Name, Version: in.SemanticVersion, Description: in.Description,
		ChangeDescription: in.ChangeDescription, Type: in.Type, Owner: arn.Owner(),
		Data: in.Data, KmsKeyId: in.KmsKeyId, DateCreated: model.DateTime(now), Parameters: doc.Parameters,
	}}
	latest, err := findWorkflow(ctx, tx, arn)
	if err != nil {
		return ARN{}, err
	}
	if latest != nil && sameWorkflow(latest, w) {
		return ARN{}, Errorf(CodeExists, "The following resource '%s' already exists: '%s'.", KindWorkflow.Title(), latest.Arn)
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), KindWorkflow); err != nil {
		return ARN{}, err
	}
	return createWorkflow(ctx, tx, arn, w, in.Tags, now)
}

// createWorkflow stores w as the next build of the version arn.
func createWorkflow(ctx context.Context, tx Tx, arn ARN, w *Workflow, tags map[string]string, now time.Time) (ARN, error) {
	build, err := tx.NextBuild(ctx, arn)
	if err != nil {
		return ARN{}, fmt.Errorf("numbering a build of %s: %w", arn, err)
	}
	arn = arn.WithBuild(build)
	w.Arn = arn.String()
	document, err := json.Marshal(w)
	if err != nil {
		return ARN{}, fmt.Errorf("encoding %s: %w", arn, err)
	}
	return arn, tx.Create(ctx, Record{
		ARN: arn, Name: w.Name, Created: now, Updated: now, Document: document, Tags: tags,
		Attributes: map[string][]string{
			FilterDescription: present(w.Description),
			FilterType:        {string(w.Type)},
		},
	})
}

// findWorkflow resolves an ARN to a workflow build, or to nil.
func findWorkflow(ctx context.Context, r RecordReader, arn ARN) (*Workflow, error) {
	record, err := r.Resolve(ctx, arn)
	if ErrorCode(err) == CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", arn, err)
	}
	return Decode[Workflow](record)
}

// sameWorkflow compares what makes a new build; tags and dates do not.
func sameWorkflow(a, b *Workflow) bool {
	return a.Data == b.Data && a.Description == b.Description &&
		a.ChangeDescription == b.ChangeDescription && a.KmsKeyId == b.KmsKeyId
}
