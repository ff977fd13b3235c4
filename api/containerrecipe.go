package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerContainerRecipes() {
	write(s, "CreateContainerRecipe", s.createContainerRecipe)
	write(s, "DeleteContainerRecipe", s.deleteContainerRecipe)
	read(s, "GetContainerRecipe", s.getContainerRecipe)
	read(s, "ListContainerRecipes", s.listContainerRecipes)
}

func (s *Server) createContainerRecipe(ctx context.Context, tx ingot.Tx, in *model.CreateContainerRecipeRequest) (*model.CreateContainerRecipeResponse, error) {
	version, err := ingot.ParseVersion(in.SemanticVersion)
	if err != nil {
		return nil, err
	}
	if err := ingot.CheckTemplateSource(in); err != nil {
		return nil, err
	}
	if in.DockerfileTemplateData, err = documentOf(ctx, in.DockerfileTemplateData); err != nil {
		return nil, err
	}
	if err := ingot.CheckContainerRecipe(in); err != nil {
		return nil, err
	}
	if err := s.checkExternal(ingot.ExternalRepository, in.TargetRepository.RepositoryName); err != nil {
		return nil, err
	}
	arn, err := ingot.CreateContainerRecipe(ctx, tx, newARN(ctx, ingot.KindContainerRecipe, in.Name, version), in, s.Now())
	if err != nil {
		return nil, err
	}
	return &model.CreateContainerRecipeResponse{
		ContainerRecipeArn:      arn.String(),
		LatestVersionReferences: ingot.LatestVersionReferences(arn),
	}, nil
}

func (s *Server) getContainerRecipe(ctx context.Context, in *model.GetContainerRecipeRequest) (*model.GetContainerRecipeResponse, error) {
	record, err := s.find(ctx, "containerRecipeArn", in.ContainerRecipeArn)
	if err != nil {
		return nil, err
	}
	recipe, err := ingot.Decode[model.ContainerRecipe](record)
	if err != nil {
		return nil, err
	}
	recipe.Tags = record.Tags
	return &model.GetContainerRecipeResponse{ContainerRecipe: recipe, LatestVersionReferences: ingot.LatestVersionReferences(record.ARN)}, nil
}

func (s *Server) listContainerRecipes(ctx context.Context, in *model.ListContainerRecipesRequest) (*model.ListContainerRecipesResponse, error) {
	q, found := ownerQuery(ctx, ingot.KindContainerRecipe, in.Owner)
	selected, err := filters(in.Filters, ingot.FilterContainerType, ingot.FilterName, ingot.FilterParentImage, ingot.FilterPlatform)
	if err != nil || !found {
		return &model.ListContainerRecipesResponse{}, err
	}
	q.Filters, q.After, q.Limit = selected, in.NextToken, pageSize(in.MaxResults)
	page, err := s.Store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.ListContainerRecipesResponse{NextToken: page.Next}
	for _, record := range page.Records {
		r, err := ingot.Decode[model.ContainerRecipe](record)
		if err != nil {
			return nil, err
		}
		out.ContainerRecipeSummaryList = append(out.ContainerRecipeSummaryList, containerRecipeSummary(r, record.Tags))
	}
	return out, nil
}

func containerRecipeSummary(r *model.ContainerRecipe, tags map[string]string) model.ContainerRecipeSummary {
	summary := model.ContainerRecipeSummary{
		Arn: r.Arn, ContainerType: r.ContainerType, Name: r.Name, Platform: r.Platform, Owner: r.Owner,
		ParentImage: r.ParentImage, DateCreated: r.DateCreated, Tags: tags,
	}
	if r.InstanceConfiguration != nil {
		summary.InstanceImage = r.InstanceConfiguration.Image
	}
	return summary
}

func (s *Server) deleteContainerRecipe(ctx context.Context, tx ingot.Tx, in *model.DeleteContainerRecipeRequest) (*model.DeleteContainerRecipeResponse, error) {
	arn, err := ownARN(ctx, "containerRecipeArn", in.ContainerRecipeArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteContainerRecipeResponse{ContainerRecipeArn: arn.String()}, ingot.DeleteResource(ctx, tx, arn)
}
