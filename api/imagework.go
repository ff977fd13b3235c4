package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// registerImageWork registers the operations that make images otherwise than
// by a build. Those that this server cannot do yet check all that can be known
// and then say so.
func (s *Server) registerImageWork() {
	write(s, "RetryImage", s.retryImage)
	write(s, "DistributeImage", s.distributeImage)
	write(s, "ImportVmImage", s.importVMImage)
	write(s, "ImportDiskImage", s.importDiskImage)
}

func (s *Server) retryImage(ctx context.Context, tx ingot.Tx, in *model.RetryImageRequest) (*model.RetryImageResponse, error) {
	arn, err := ownARN(ctx, "imageBuildVersionArn", in.ImageBuildVersionArn)
	if err != nil {
		return nil, err
	}
	if err := ingot.RetryImage(ctx, tx, arn, s.Now()); err != nil {
		return nil, err
	}
	s.startAfterCommit(ctx, arn)
	return &model.RetryImageResponse{ImageBuildVersionArn: arn.String(), ClientToken: in.ClientToken}, nil
}

func (s *Server) distributeImage(ctx context.Context, tx ingot.Tx, in *model.DistributeImageRequest) (*model.DistributeImageResponse, error) {
	arn, err := ingot.DistributeImage(ctx, tx, s.Store, newARN(ctx, ingot.KindImage, "", ingot.Version{}), in, s.Now())
	if err != nil {
		return nil, err
	}
	s.startAfterCommit(ctx, arn)
	return &model.DistributeImageResponse{ImageBuildVersionArn: arn.String(), ClientToken: in.ClientToken}, nil
}

func (s *Server) importVMImage(_ context.Context, _ ingot.Tx, in *model.ImportVmImageRequest) (*model.ImportVmImageResponse, error) {
	return nil, ingot.ImportVMImage(in)
}

func (s *Server) importDiskImage(ctx context.Context, tx ingot.Tx, in *model.ImportDiskImageRequest) (*model.ImportDiskImageResponse, error) {
	return nil, ingot.ImportDiskImage(ctx, tx, newARN(ctx, ingot.KindImage, in.Name, ingot.Version{}), in)
}
