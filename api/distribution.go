package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerDistributions() {
	write(s, "CreateDistributionConfiguration", s.createDistribution)
	write(s, "UpdateDistributionConfiguration", s.updateDistribution)
	write(s, "DeleteDistributionConfiguration", s.deleteDistribution)
	read(s, "GetDistributionConfiguration", s.getDistribution)
	read(s, "ListDistributionConfigurations", s.listDistributions)
}

func (s *Server) createDistribution(ctx context.Context, tx ingot.Tx, in *model.CreateDistributionConfigurationRequest) (*model.CreateDistributionConfigurationResponse, error) {
	arn := newARN(ctx, ingot.KindDistribution, in.Name, ingot.Version{})
	if err := ingot.CheckDistributions(in.Distributions, arn.Account, s.Regions, tx.Quotas()); err != nil {
		return nil, err
	}
	if err := ingot.CreateDistribution(ctx, tx, arn, ingot.NewDistribution(arn, in, s.Now()), in.Tags, s.Now()); err != nil {
		return nil, err
	}
	return &model.CreateDistributionConfigurationResponse{DistributionConfigurationArn: arn.String()}, nil
}

func (s *Server) updateDistribution(ctx context.Context, tx ingot.Tx, in *model.UpdateDistributionConfigurationRequest) (*model.UpdateDistributionConfigurationResponse, error) {
	arn, err := ownARN(ctx, "distributionConfigurationArn", in.DistributionConfigurationArn)
	if err != nil {
		return nil, err
	}
	if err := ingot.CheckDistributions(in.Distributions, arn.Account, s.Regions, tx.Quotas()); err != nil {
		return nil, err
	}
	if err := ingot.UpdateDistribution(ctx, tx, arn, in, s.Now()); err != nil {
		return nil, err
	}
	return &model.UpdateDistributionConfigurationResponse{DistributionConfigurationArn: arn.String()}, nil
}

func (s *Server) getDistribution(ctx context.Context, in *model.GetDistributionConfigurationRequest) (*model.GetDistributionConfigurationResponse, error) {
	arn, err := visibleARN(ctx, "distributionConfigurationArn", in.DistributionConfigurationArn)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Get(ctx, arn)
	if err != nil {
		return nil, err
	}
	c, err := ingot.Decode[model.DistributionConfiguration](record)
	if err != nil {
		return nil, err
	}
	c.Tags = record.Tags
	return &model.GetDistributionConfigurationResponse{DistributionConfiguration: c}, nil
}

func (s *Server) listDistributions(ctx context.Context, in *model.ListDistributionConfigurationsRequest) (*model.ListDistributionConfigurationsResponse, error) {
	page, err := s.listByName(ctx, ingot.KindDistribution, in.Filters, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &model.ListDistributionConfigurationsResponse{NextToken: page.Next}
	for _, record := range page.Records {
		c, err := ingot.Decode[model.DistributionConfiguration](record)
		if err != nil {
			return nil, err
		}
		regions := []string{}
		for _, d := range c.Distributions {
			regions = append(regions, d.Region)
		}
		out.DistributionConfigurationSummaryList = append(out.DistributionConfigurationSummaryList, model.DistributionConfigurationSummary{
			Arn: c.Arn, Name: c.Name, Description: c.Description,
			DateCreated: c.DateCreated, DateUpdated: c.DateUpdated, Tags: record.Tags, Regions: regions,
		})
	}
	return out, nil
}

func (s *Server) deleteDistribution(ctx context.Context, tx ingot.Tx, in *model.DeleteDistributionConfigurationRequest) (*model.DeleteDistributionConfigurationResponse, error) {
	arn, err := ownARN(ctx, "distributionConfigurationArn", in.DistributionConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteDistributionConfigurationResponse{DistributionConfigurationArn: arn.String()}, ingot.DeleteResource(ctx, tx, arn)
}
