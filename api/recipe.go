package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerRecipes() {
	write(s, "CreateImageRecipe", s.createImageRecipe)
	write(s, "DeleteImageRecipe", s.deleteImageRecipe)
	read(s, "GetImageRecipe", s.getImageRecipe)
	read(s, "ListImageRecipes", s.listImageRecipes)
}

func (s *Server) createImageRecipe(ctx context.Context, tx ingot.Tx, in *model.CreateImageRecipeRequest) (*model.CreateImageRecipeResponse, error) {
	version, err := ingot.ParseVersion(in.SemanticVersion)
	if err != nil {
		return nil, err
	}
	if err := ingot.CheckImageRecipe(in); err != nil {
		return nil, err
	}
	arn, err := ingot.CreateImageRecipe(ctx, tx, tx, newARN(ctx, ingot.KindImageRecipe, in.Name, version), in, s.Now())
	if err != nil {
		return nil, err
	}
	return &model.CreateImageRecipeResponse{
		ImageRecipeArn:          arn.String(),
		LatestVersionReferences: ingot.LatestVersionReferences(arn),
	}, nil
}

func (s *Server) getImageRecipe(ctx context.Context, in *model.GetImageRecipeRequest) (*model.GetImageRecipeResponse, error) {
	record, err := s.find(ctx, "imageRecipeArn", in.ImageRecipeArn)
	if err != nil {
		return nil, err
	}
	recipe, err := ingot.Decode[model.ImageRecipe](record)
	if err != nil {
		return nil, err
	}
	recipe.Tags = record.Tags
	return &model.GetImageRecipeResponse{ImageRecipe: recipe, LatestVersionReferences: ingot.LatestVersionReferences(record.ARN)}, nil
}

func (s *Server) listImageRecipes(ctx context.Context, in *model.ListImageRecipesRequest) (*model.ListImageRecipesResponse, error) {
	q, found := ownerQuery(ctx, ingot.KindImageRecipe, in.Owner)
	selected, err := filters(in.Filters, ingot.FilterName, ingot.FilterParentImage, ingot.FilterPlatform)
	if err != nil || !found {
		return &model.ListImageRecipesResponse{}, err
	}
	q.Filters, q.After, q.Limit = selected, in.NextToken, pageSize(in.MaxResults)
	page, err := s.Store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.ListImageRecipesResponse{NextToken: page.Next}
	for _, record := range page.Records {
		r, err := ingot.Decode[model.ImageRecipe](record)
		if err != nil {
			return nil, err
		}
		out.ImageRecipeSummaryList = append(out.ImageRecipeSummaryList, model.ImageRecipeSummary{
			Arn: r.Arn, Name: r.Name, Platform: r.Platform, Owner: r.Owner,
			ParentImage: r.ParentImage, DateCreated: r.DateCreated, Tags: record.Tags,
		})
	}
	return out, nil
}

func (s *Server) deleteImageRecipe(ctx context.Context, tx ingot.Tx, in *model.DeleteImageRecipeRequest) (*model.DeleteImageRecipeResponse, error) {
	arn, err := ownARN(ctx, "imageRecipeArn", in.ImageRecipeArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteImageRecipeResponse{ImageRecipeArn: arn.String()}, ingot.DeleteResource(ctx, tx, arn)
}
