package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerTags() {
	write(s, "TagResource", s.tagResource)
	write(s, "UntagResource", s.untagResource)
	read(s, "ListTagsForResource", s.listTagsForResource)
}

func (s *Server) tagResource(ctx context.Context, tx ingot.Tx, in *model.TagResourceRequest) (*model.TagResourceResponse, error) {
	arn, err := ownARN(ctx, "resourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &model.TagResourceResponse{}, ingot.AddTags(ctx, tx, arn, in.Tags)
}

func (s *Server) untagResource(ctx context.Context, tx ingot.Tx, in *model.UntagResourceRequest) (*model.UntagResourceResponse, error) {
	arn, err := ownARN(ctx, "resourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &model.UntagResourceResponse{}, ingot.RemoveTags(ctx, tx, arn, in.TagKeys)
}

func (s *Server) listTagsForResource(ctx context.Context, in *model.ListTagsForResourceRequest) (*model.ListTagsForResourceResponse, error) {
	arn, err := exactARN(ctx, "resourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	r, err := s.Store.Get(ctx, arn)
	if err != nil {
		return nil, err
	}
	return &model.ListTagsForResourceResponse{Tags: r.Tags}, nil
}
