package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerInfrastructure() {
	write(s, "CreateInfrastructureConfiguration", s.createInfrastructure)
	write(s, "UpdateInfrastructureConfiguration", s.updateInfrastructure)
	write(s, "DeleteInfrastructureConfiguration", s.deleteInfrastructure)
	read(s, "GetInfrastructureConfiguration", s.getInfrastructure)
	read(s, "ListInfrastructureConfigurations", s.listInfrastructure)
}

func (s *Server) createInfrastructure(ctx context.Context, tx ingot.Tx, in *model.CreateInfrastructureConfigurationRequest) (*model.CreateInfrastructureConfigurationResponse, error) {
	if err := s.checkExternal(ingot.ExternalInstanceProfile, in.InstanceProfileName); err != nil {
		return nil, err
	}
	arn := newARN(ctx, ingot.KindInfrastructure, in.Name, ingot.Version{})
	c := ingot.NewInfrastructure(arn, in, s.Now())
	if err := ingot.CheckInfrastructure(c, arn.Region); err != nil {
		return nil, err
	}
	if err := ingot.CreateInfrastructure(ctx, tx, arn, c, in.Tags, s.Now()); err != nil {
		return nil, err
	}
	return &model.CreateInfrastructureConfigurationResponse{InfrastructureConfigurationArn: arn.String()}, nil
}

func (s *Server) updateInfrastructure(ctx context.Context, tx ingot.Tx, in *model.UpdateInfrastructureConfigurationRequest) (*model.UpdateInfrastructureConfigurationResponse, error) {
	arn, err := ownARN(ctx, "infrastructureConfigurationArn", in.InfrastructureConfigurationArn)
	if err != nil {
		return nil, err
	}
	if err := s.checkExternal(ingot.ExternalInstanceProfile, in.InstanceProfileName); err != nil {
		return nil, err
	}
	if err := ingot.UpdateInfrastructure(ctx, tx, arn, in, s.Now()); err != nil {
		return nil, err
	}
	return &model.UpdateInfrastructureConfigurationResponse{InfrastructureConfigurationArn: arn.String()}, nil
}

func (s *Server) getInfrastructure(ctx context.Context, in *model.GetInfrastructureConfigurationRequest) (*model.GetInfrastructureConfigurationResponse, error) {
	arn, err := visibleARN(ctx, "infrastructureConfigurationArn", in.InfrastructureConfigurationArn)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Get(ctx, arn)
	if err != nil {
		return nil, err
	}
	c, err := ingot.Decode[model.InfrastructureConfiguration](record)
	if err != nil {
		return nil, err
	}
	c.Tags = record.Tags
	return &model.GetInfrastructureConfigurationResponse{InfrastructureConfiguration: c}, nil
}

func (s *Server) listInfrastructure(ctx context.Context, in *model.ListInfrastructureConfigurationsRequest) (*model.ListInfrastructureConfigurationsResponse, error) {
	page, err := s.listByName(ctx, ingot.KindInfrastructure, in.Filters, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &model.ListInfrastructureConfigurationsResponse{NextToken: page.Next}
	for _, record := range page.Records {
		c, err := ingot.Decode[model.InfrastructureConfiguration](record)
		if err != nil {
			return nil, err
		}
		out.InfrastructureConfigurationSummaryList = append(out.InfrastructureConfigurationSummaryList, model.InfrastructureConfigurationSummary{
			Arn: c.Arn, Name: c.Name, Description: c.Description, DateCreated: c.DateCreated, DateUpdated: c.DateUpdated,
			ResourceTags: c.ResourceTags, Tags: record.Tags, InstanceTypes: c.InstanceTypes,
			InstanceProfileName: c.InstanceProfileName, Placement: c.Placement,
		})
	}
	return out, nil
}

// listByName lists the caller's configurations of a kind, which know the one filter name.
func (s *Server) listByName(ctx context.Context, kind ingot.Kind, in []model.Filter, after string, maxResults *int) (ingot.Page, error) {
	selected, err := filters(in, ingot.FilterName)
	if err != nil {
		return ingot.Page{}, err
	}
	return s.Store.List(ctx, ingot.Query{
		Scope: callerOf(ctx).Scope, Kind: kind, Filters: selected, After: after, Limit: pageSize(maxResults),
	})
}

func (s *Server) deleteInfrastructure(ctx context.Context, tx ingot.Tx, in *model.DeleteInfrastructureConfigurationRequest) (*model.DeleteInfrastructureConfigurationResponse, error) {
	arn, err := ownARN(ctx, "infrastructureConfigurationArn", in.InfrastructureConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteInfrastructureConfigurationResponse{InfrastructureConfigurationArn: arn.String()}, ingot.DeleteResource(ctx, tx, arn)
}
