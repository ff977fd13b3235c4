package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerScans() {
	read(s, "ListImageScanFindings", s.listImageScanFindings)
	read(s, "ListImageScanFindingAggregations", s.listImageScanFindingAggregations)
}

// listImageScanFindings lists nothing: without a scanner nothing is found.
func (s *Server) listImageScanFindings(_ context.Context, in *model.ListImageScanFindingsRequest) (*model.ListImageScanFindingsResponse, error) {
	return &model.ListImageScanFindingsResponse{}, ingot.CheckFindingsFilters(in.Filters)
}

func (s *Server) listImageScanFindingAggregations(ctx context.Context, in *model.ListImageScanFindingAggregationsRequest) (*model.ListImageScanFindingAggregationsResponse, error) {
	key, rows, err := ingot.CountFindings(ctx, s.Store, callerOf(ctx).Scope, in.Filter)
	return &model.ListImageScanFindingAggregationsResponse{AggregationType: key, Responses: rows}, err
}
