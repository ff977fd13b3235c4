package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerMarketplace() {
	read(s, "GetMarketplaceResource", s.getMarketplaceResource)
}

// getMarketplaceResource answers as to an account that has subscribed to
// nothing: this server has no marketplace. Source: api.md §3.13.
func (s *Server) getMarketplaceResource(ctx context.Context, in *model.GetMarketplaceResourceRequest) (*model.GetMarketplaceResourceResponse, error) {
	if in.ResourceType == model.MarketplaceResourceTypeComponentArtifact && in.ResourceLocation == "" {
		return nil, ingot.Errorf(ingot.CodeCombination, "The resource type COMPONENT_ARTIFACT needs 'resourceLocation'.")
	}
	arn, err := targetARN(ctx, "resourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if arn.Account == ingot.MarketplaceAccount {
		return nil, ingot.Errorf(ingot.CodeForbidden, "The account has no subscription to '%s': this server has no marketplace.", arn)
	}
	return nil, ingot.NotFound(arn)
}
