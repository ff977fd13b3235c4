package api

import (
	"context"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerLifecyclePolicies() {
	write(s, "CreateLifecyclePolicy", s.createLifecyclePolicy)
	write(s, "UpdateLifecyclePolicy", s.updateLifecyclePolicy)
	write(s, "DeleteLifecyclePolicy", s.deleteLifecyclePolicy)
	read(s, "GetLifecyclePolicy", s.getLifecyclePolicy)
	read(s, "ListLifecyclePolicies", s.listLifecyclePolicies)
}

func (s *Server) createLifecyclePolicy(ctx context.Context, tx ingot.Tx, in *model.CreateLifecyclePolicyRequest) (*model.CreateLifecyclePolicyResponse, error) {
	arn := newARN(ctx, ingot.KindLifecycle, in.Name, ingot.Version{})
	if err := ingot.CreateLifecyclePolicy(ctx, tx, arn, in, s.Now()); err != nil {
		return nil, err
	}
	return &model.CreateLifecyclePolicyResponse{LifecyclePolicyArn: arn.String()}, nil
}

func (s *Server) updateLifecyclePolicy(ctx context.Context, tx ingot.Tx, in *model.UpdateLifecyclePolicyRequest) (*model.UpdateLifecyclePolicyResponse, error) {
	arn, err := ownARN(ctx, "lifecyclePolicyArn", in.LifecyclePolicyArn)
	if err != nil {
		return nil, err
	}
	return &model.UpdateLifecyclePolicyResponse{LifecyclePolicyArn: arn.String()}, ingot.UpdateLifecyclePolicy(ctx, tx, arn, in, s.Now())
}

func (s *Server) deleteLifecyclePolicy(ctx context.Context, tx ingot.Tx, in *model.DeleteLifecyclePolicyRequest) (*model.DeleteLifecyclePolicyResponse, error) {
	arn, err := ownARN(ctx, "lifecyclePolicyArn", in.LifecyclePolicyArn)
	if err != nil {
		return nil, err
	}
	s.lifecycleChanged(ctx) // one that is paused ends
	return &model.DeleteLifecyclePolicyResponse{LifecyclePolicyArn: arn.String()}, ingot.DeleteLifecyclePolicy(ctx, tx, arn, s.Now())
}

func (s *Server) getLifecyclePolicy(ctx context.Context, in *model.GetLifecyclePolicyRequest) (*model.GetLifecyclePolicyResponse, error) {
	arn, err := visibleARN(ctx, "lifecyclePolicyArn", in.LifecyclePolicyArn)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Get(ctx, arn)
	if err != nil {
		return nil, err
	}
	p, err := ingot.Decode[model.LifecyclePolicy](record)
	if err != nil {
		return nil, err
	}
	p.Tags = record.Tags
	return &model.GetLifecyclePolicyResponse{LifecyclePolicy: p}, nil
}

func (s *Server) listLifecyclePolicies(ctx context.Context, in *model.ListLifecyclePoliciesRequest) (*model.ListLifecyclePoliciesResponse, error) {
	selected, err := filters(in.Filters, ingot.FilterName, ingot.FilterStatus, "Name", "Status")
	if err != nil {
		return nil, err
	}
	for i := range selected { // documented with capitals, unlike all other filters
		selected[i].Name = strings.ToLower(selected[i].Name)
	}
	page, err := s.Store.List(ctx, ingot.Query{
		Scope: callerOf(ctx).Scope, Kind: ingot.KindLifecycle, Filters: selected,
		After: in.NextToken, Limit: pageSize(in.MaxResults),
	})
	if err != nil {
		return nil, err
	}
	out := &model.ListLifecyclePoliciesResponse{NextToken: page.Next}
	for _, record := range page.Records {
		p, err := ingot.Decode[model.LifecyclePolicy](record)
		if err != nil {
			return nil, err
		}
		out.LifecyclePolicySummaryList = append(out.LifecyclePolicySummaryList, model.LifecyclePolicySummary{
			Arn: p.Arn, Name: p.Name, Description: p.Description, Status: p.Status, ExecutionRole: p.ExecutionRole,
			ResourceType: p.ResourceType, DateCreated: p.DateCreated, DateUpdated: p.DateUpdated,
			DateLastRun: p.DateLastRun, Tags: record.Tags,
		})
	}
	return out, nil
}
