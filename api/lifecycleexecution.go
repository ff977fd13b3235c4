package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerLifecycleExecutions() {
	write(s, "CancelLifecycleExecution", s.cancelLifecycleExecution)
	write(s, "StartResourceStateUpdate", s.startResourceStateUpdate)
	read(s, "GetLifecycleExecution", s.getLifecycleExecution)
	read(s, "ListLifecycleExecutions", s.listLifecycleExecutions)
	read(s, "ListLifecycleExecutionResources", s.listLifecycleExecutionResources)
}

func (s *Server) startResourceStateUpdate(ctx context.Context, tx ingot.Tx, in *model.StartResourceStateUpdateRequest) (*model.StartResourceStateUpdateResponse, error) {
	if err := ingot.CheckStateUpdate(in, s.Now()); err != nil {
		return nil, err
	}
	arn, err := ownARN(ctx, "resourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	id, err := ingot.UpdateImageState(ctx, tx, arn, in, s.Now())
	if err != nil {
		return nil, err
	}
	s.lifecycleChanged(ctx)
	out := &model.StartResourceStateUpdateResponse{ResourceArn: arn.String()}
	if in.IncludeResources != nil || in.UpdateAt != nil { // else it is over, and the answer names none. Source: api.md §4.4.
		out.LifecycleExecutionId = id
	}
	return out, nil
}

// lifecycleChanged tells, after the commit, that an execution has something to do.
func (s *Server) lifecycleChanged(ctx context.Context) {
	if s.Lifecycle != nil {
		afterCommit(ctx, func(context.Context) { s.Lifecycle.Changed() })
	}
}

func (s *Server) cancelLifecycleExecution(ctx context.Context, tx ingot.Tx, in *model.CancelLifecycleExecutionRequest) (*model.CancelLifecycleExecutionResponse, error) {
	err := ingot.CancelLifecycleExecution(ctx, tx, callerOf(ctx).Scope, in.LifecycleExecutionId, s.Now())
	s.lifecycleChanged(ctx)
	return &model.CancelLifecycleExecutionResponse{LifecycleExecutionId: in.LifecycleExecutionId}, err
}

func (s *Server) getLifecycleExecution(ctx context.Context, in *model.GetLifecycleExecutionRequest) (*model.GetLifecycleExecutionResponse, error) {
	e, err := ingot.FindLifecycleExecution(ctx, s.Store, callerOf(ctx).Scope, in.LifecycleExecutionId)
	return &model.GetLifecycleExecutionResponse{LifecycleExecution: &e.LifecycleExecution}, err
}

func (s *Server) listLifecycleExecutions(ctx context.Context, in *model.ListLifecycleExecutionsRequest) (*model.ListLifecycleExecutionsResponse, error) {
	arn, err := visibleARN(ctx, "resourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if arn.Kind != ingot.KindLifecycle && (arn.Kind != ingot.KindImage || !arn.IsBuild()) {
		return nil, ingot.InvalidField("resourceArn", "'%s' has no lifecycle executions. Give the ARN of a lifecycle policy or of an image with its build.", in.ResourceArn)
	}
	list, next, err := s.Store.LifecycleExecutions(ctx, arn, in.NextToken, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 { // those of a deleted resource are still listed
		if _, err := s.Store.Get(ctx, arn); err != nil {
			return nil, err
		}
	}
	out := &model.ListLifecycleExecutionsResponse{NextToken: next}
	for _, e := range list {
		out.LifecycleExecutions = append(out.LifecycleExecutions, e.LifecycleExecution)
	}
	return out, nil
}

func (s *Server) listLifecycleExecutionResources(ctx context.Context, in *model.ListLifecycleExecutionResourcesRequest) (*model.ListLifecycleExecutionResourcesResponse, error) {
	e, err := ingot.FindLifecycleExecution(ctx, s.Store, callerOf(ctx).Scope, in.LifecycleExecutionId)
	if err != nil {
		return nil, err
	}
	var parent ingot.ARN
	if in.ParentResourceId != "" {
		if parent, err = visibleARN(ctx, "parentResourceId", in.ParentResourceId); err != nil {
			return nil, err
		}
		if parent.Kind != ingot.KindImage || !parent.IsBuild() {
			return nil, ingot.InvalidField("parentResourceId", "'%s' is not the ARN of an image with its build.", in.ParentResourceId)
		}
	}
	list, next, err := s.Store.LifecycleResources(ctx, in.LifecycleExecutionId, parent, in.NextToken, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &model.ListLifecycleExecutionResourcesResponse{
		LifecycleExecutionId: e.LifecycleExecutionId, LifecycleExecutionState: e.State, NextToken: next,
	}
	for _, r := range list {
		out.Resources = append(out.Resources, r.LifecycleExecutionResource)
	}
	return out, nil
}
