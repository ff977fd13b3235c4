package api

import (
	"context"
	"log/slog"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerImages() {
	write(s, "CreateImage", s.createImage)
	write(s, "CancelImageCreation", s.cancelImageCreation)
	write(s, "DeleteImage", s.deleteImage)
	read(s, "GetImage", s.getImage)
	read(s, "ListImages", s.listImages)
	read(s, "ListImageBuildVersions", s.listImageBuildVersions)
	read(s, "ListImagePackages", s.listImagePackages)
}

func (s *Server) createImage(ctx context.Context, tx ingot.Tx, in *model.CreateImageRequest) (*model.CreateImageResponse, error) {
	by := newARN(ctx, ingot.KindImage, "", ingot.Version{})
	request := ingot.ImageRequest{CreateImageRequest: *in, BuildType: model.BuildTypeUserInitiated}
	arn, err := ingot.CreateImage(ctx, tx, tx, by, request, s.Now())
	if err != nil {
		return nil, err
	}
	s.startAfterCommit(ctx, arn)
	return &model.CreateImageResponse{
		ImageBuildVersionArn:    arn.String(),
		LatestVersionReferences: ingot.LatestVersionReferences(arn),
	}, nil
}

// startAfterCommit hands a PENDING image to the builder. Where that fails, the
// record still asks for the build, and the builder finds it when it starts.
func (s *Server) startAfterCommit(ctx context.Context, arn ingot.ARN) {
	if s.Builder == nil {
		return
	}
	afterCommit(ctx, func(ctx context.Context) {
		if err := s.Builder.StartImage(ctx, arn); err != nil {
			s.Log.Error("starting a build", slog.String("image", arn.String()), slog.Any("error", err))
		}
	})
}

func (s *Server) cancelImageCreation(ctx context.Context, tx ingot.Tx, in *model.CancelImageCreationRequest) (*model.CancelImageCreationResponse, error) {
	arn, err := ownARN(ctx, "imageBuildVersionArn", in.ImageBuildVersionArn)
	if err != nil {
		return nil, err
	}
	if err := ingot.RequestCancel(ctx, tx, arn); err != nil {
		return nil, err
	}
	if s.Builder != nil {
		afterCommit(ctx, func(ctx context.Context) {
			if err := s.Builder.CancelImage(ctx, arn); err != nil {
				s.Log.Error("cancelling a build", slog.String("image", arn.String()), slog.Any("error", err))
			}
		})
	}
	return &model.CancelImageCreationResponse{ImageBuildVersionArn: arn.String()}, nil
}

func (s *Server) deleteImage(ctx context.Context, tx ingot.Tx, in *model.DeleteImageRequest) (*model.DeleteImageResponse, error) {
	arn, err := ownARN(ctx, "imageBuildVersionArn", in.ImageBuildVersionArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteImageResponse{ImageBuildVersionArn: arn.String()}, ingot.DeleteImage(ctx, tx, arn)
}

func (s *Server) getImage(ctx context.Context, in *model.GetImageRequest) (*model.GetImageResponse, error) {
	record, err := s.find(ctx, "imageBuildVersionArn", in.ImageBuildVersionArn)
	if err != nil {
		return nil, err
	}
	image, err := ingot.Decode[model.Image](record)
	if err != nil {
		return nil, err
	}
	image.Tags = record.Tags
	return &model.GetImageResponse{Image: image, LatestVersionReferences: ingot.LatestVersionReferences(record.ARN)}, nil
}

// imageFilters are the filters of all lists of images.
var imageFilters = []string{
	ingot.FilterName, ingot.FilterOSVersion, ingot.FilterPlatform, ingot.FilterType, ingot.FilterVersion,
}

func (s *Server) listImages(ctx context.Context, in *model.ListImagesRequest) (*model.ListImagesResponse, error) {
	q, found := ownerQuery(ctx, ingot.KindImage, in.Owner)
	selected, err := filters(in.Filters, imageFilters...)
	if err != nil || !found {
		return &model.ListImagesResponse{}, err
	}
	counted, err := collapse(in.ByName, selected)
	if err != nil {
		return nil, err
	}
	q.Filters, q.Collapse, q.After, q.Limit = selected, counted, in.NextToken, pageSize(in.MaxResults)
	if deprecated := in.IncludeDeprecated != nil && *in.IncludeDeprecated; q.Scope.Account == ingot.ManagedAccount && !deprecated {
		q.Filters = append(q.Filters, ingot.Filter{Name: ingot.FilterStatus, Values: []string{string(model.ImageStatusAvailable)}})
	}
	page, err := s.Store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.ListImagesResponse{NextToken: page.Next}
	for _, record := range page.Records {
		v, err := imageEntry(record, counted == ingot.Names)
		if err != nil {
			return nil, err
		}
		out.ImageVersionList = append(out.ImageVersionList, v)
	}
	return out, nil
}

func imageEntry(record ingot.Record, byName bool) (model.ImageVersion, error) {
	image, err := ingot.Decode[model.Image](record)
	if err != nil {
		return model.ImageVersion{}, err
	}
	arn := record.ARN.VersionARN()
	if byName {
		arn = arn.WithVersion(arn.Version.Wildcard(0))
	}
	return model.ImageVersion{
		Arn: arn.String(), Name: image.Name, Type: image.Type, Version: record.ARN.Version.String(),
		Platform: image.Platform, OsVersion: image.OsVersion, Owner: arn.Owner(), DateCreated: image.DateCreated,
		BuildType: image.BuildType, ImageSource: image.ImageSource,
	}, nil
}

func (s *Server) listImageBuildVersions(ctx context.Context, in *model.ListImageBuildVersionsRequest) (*model.ListImageBuildVersionsResponse, error) {
	q, err := buildsQuery(ctx, ingot.KindImage, "imageVersionArn", in.ImageVersionArn)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return &model.ListImageBuildVersionsResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	if q.Filters, err = filters(in.Filters, imageFilters...); err != nil {
		return nil, err
	}
	q.After, q.Limit = in.NextToken, pageSize(in.MaxResults)
	list, next, err := s.imageSummaries(ctx, q)
	return &model.ListImageBuildVersionsResponse{ImageSummaryList: list, NextToken: next}, err
}

// imageSummaries is one page of image builds.
func (s *Server) imageSummaries(ctx context.Context, q ingot.Query) (list []model.ImageSummary, next string, err error) {
	page, err := s.Store.List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	for _, record := range page.Records {
		i, err := ingot.Decode[model.Image](record)
		if err != nil {
			return nil, "", err
		}
		list = append(list, model.ImageSummary{
			Arn: i.Arn, Name: i.Name, Type: i.Type, Version: i.Version, Platform: i.Platform, OsVersion: i.OsVersion,
			State: i.State, Owner: record.ARN.Owner(), DateCreated: i.DateCreated, OutputResources: i.OutputResources,
			Tags: record.Tags, BuildType: i.BuildType, ImageSource: i.ImageSource, DeprecationTime: i.DeprecationTime,
			LifecycleExecutionId: i.LifecycleExecutionId, LoggingConfiguration: i.LoggingConfiguration,
		})
	}
	return list, page.Next, nil
}

func (s *Server) listImagePackages(ctx context.Context, in *model.ListImagePackagesRequest) (*model.ListImagePackagesResponse, error) {
	arn, err := s.existingImage(ctx, in.ImageBuildVersionArn)
	if err != nil {
		return nil, err
	}
	list, next, err := s.Store.ImagePackages(ctx, arn, in.NextToken, pageSize(in.MaxResults))
	return &model.ListImagePackagesResponse{ImagePackageList: list, NextToken: next}, err
}

// existingImage parses the ARN of an image build that the caller can see.
func (s *Server) existingImage(ctx context.Context, text string) (ingot.ARN, error) {
	arn, err := visibleARN(ctx, "imageBuildVersionArn", text)
	if err != nil {
		return ingot.ARN{}, err
	}
	_, err = s.Store.Get(ctx, arn)
	return arn, err
}
