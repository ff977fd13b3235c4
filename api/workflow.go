package api

import (
	"context"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

func (s *Server) registerWorkflows() {
	write(s, "CreateWorkflow", s.createWorkflow)
	write(s, "DeleteWorkflow", s.deleteWorkflow)
	read(s, "GetWorkflow", s.getWorkflow)
	read(s, "ListWorkflows", s.listWorkflows)
	read(s, "ListWorkflowBuildVersions", s.listWorkflowBuildVersions)
}

func (s *Server) createWorkflow(ctx context.Context, tx ingot.Tx, in *model.CreateWorkflowRequest) (*model.CreateWorkflowResponse, error) {
	if err := ingot.CheckCreateWorkflow(in); err != nil {
		return nil, err
	}
	version, err := ingot.ParseVersion(in.SemanticVersion)
	if err != nil {
		return nil, err
	}
	if in.Data, err = documentOf(ctx, in.Data); err != nil {
		return nil, err
	}
	doc, err := checkWorkflowDocument(in)
	if err != nil {
		return nil, err
	}
	arn := newARN(ctx, ingot.KindWorkflow, in.Name, version)
	arn.WorkflowType = strings.ToLower(string(in.Type))
	if arn, err = ingot.CreateWorkflow(ctx, tx, arn, in, doc, s.Now()); err != nil {
		return nil, err
	}
	return &model.CreateWorkflowResponse{
		WorkflowBuildVersionArn: arn.String(),
		LatestVersionReferences: ingot.LatestVersionReferences(arn),
	}, nil
}

// checkWorkflowDocument returns what a workflow takes over from its document,
// or all faults of the document, a line each.
func checkWorkflowDocument(in *model.CreateWorkflowRequest) (ingot.WorkflowDocument, error) {
	doc, findings := workflow.Check([]byte(in.Data), in.Type)
	if err := findings.Err(); err != nil {
		return ingot.WorkflowDocument{}, ingot.InvalidField("data", "%s", err)
	}
	return ingot.WorkflowDocument{Parameters: doc.Parameters, Outputs: doc.OutputNames()}, nil
}

func (s *Server) getWorkflow(ctx context.Context, in *model.GetWorkflowRequest) (*model.GetWorkflowResponse, error) {
	arn, err := visibleARN(ctx, "workflowBuildVersionArn", in.WorkflowBuildVersionArn)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Resolve(ctx, arn)
	if err != nil {
		return nil, err
	}
	w, err := ingot.Decode[model.Workflow](record)
	if err != nil {
		return nil, err
	}
	w.Tags = record.Tags
	return &model.GetWorkflowResponse{Workflow: w, LatestVersionReferences: ingot.LatestVersionReferences(record.ARN)}, nil
}

func (s *Server) listWorkflows(ctx context.Context, in *model.ListWorkflowsRequest) (*model.ListWorkflowsResponse, error) {
	query, found, err := workflowQuery(ctx, in)
	if err != nil || !found {
		return &model.ListWorkflowsResponse{}, err
	}
	page, err := s.Store.List(ctx, query)
	if err != nil {
		return nil, err
	}
	out := &model.ListWorkflowsResponse{NextToken: page.Next}
	for _, record := range page.Records {
		w, err := ingot.Decode[model.Workflow](record)
		if err != nil {
			return nil, err
		}
		arn := record.ARN.VersionARN()
		if query.Collapse == ingot.Names {
			arn = arn.WithVersion(arn.Version.Wildcard(0))
		}
		out.WorkflowVersionList = append(out.WorkflowVersionList, model.WorkflowVersion{
			Arn: arn.String(), Name: w.Name, Version: w.Version, Description: w.Description,
			Type: w.Type, Owner: w.Owner, DateCreated: w.DateCreated,
		})
	}
	return out, nil
}

// workflowQuery is the store's form of a list request. Source: api.md §3.9.
func workflowQuery(ctx context.Context, in *model.ListWorkflowsRequest) (_ ingot.Query, found bool, err error) {
	if in.Owner == model.OwnershipShared || in.Owner == model.OwnershipThirdParty {
		return ingot.Query{}, false, ingot.InvalidField("owner", "Workflows are never shared nor of third parties; '%s' is for other resources. Use Self or Amazon.", in.Owner)
	}
	q, found := ownerQuery(ctx, ingot.KindWorkflow, in.Owner)
	selected, err := filters(in.Filters, ingot.FilterDescription, ingot.FilterName, ingot.FilterType, ingot.FilterVersion)
	if err != nil {
		return ingot.Query{}, false, err
	}
	counted, err := collapse(in.ByName, selected)
	if err != nil {
		return ingot.Query{}, false, err
	}
	q.Filters, q.Collapse, q.After, q.Limit = selected, counted, in.NextToken, pageSize(in.MaxResults)
	return q, found, nil
}

func (s *Server) listWorkflowBuildVersions(ctx context.Context, in *model.ListWorkflowBuildVersionsRequest) (*model.ListWorkflowBuildVersionsResponse, error) {
	query, err := buildsQuery(ctx, ingot.KindWorkflow, "workflowVersionArn", in.WorkflowVersionArn)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return &model.ListWorkflowBuildVersionsResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	query.After, query.Limit = in.NextToken, pageSize(in.MaxResults)
	page, err := s.Store.List(ctx, query)
	if err != nil {
		return nil, err
	}
	out := &model.ListWorkflowBuildVersionsResponse{NextToken: page.Next}
	for _, record := range page.Records {
		w, err := ingot.Decode[model.Workflow](record)
		if err != nil {
			return nil, err
		}
		out.WorkflowSummaryList = append(out.WorkflowSummaryList, model.WorkflowSummary{
			Arn: w.Arn, Name: w.Name, Version: w.Version, Description: w.Description,
			ChangeDescription: w.ChangeDescription, Type: w.Type, Owner: w.Owner, State: w.State,
			DateCreated: w.DateCreated, Tags: record.Tags,
		})
	}
	return out, nil
}

func (s *Server) deleteWorkflow(ctx context.Context, tx ingot.Tx, in *model.DeleteWorkflowRequest) (*model.DeleteWorkflowResponse, error) {
	arn, err := ownARN(ctx, "workflowBuildVersionArn", in.WorkflowBuildVersionArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteWorkflowResponse{WorkflowBuildVersionArn: arn.String()}, ingot.DeleteResource(ctx, tx, arn)
}
