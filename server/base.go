package server

import (
	"context"
	"time"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/base"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/disk"
)

// syncCatalog makes the managed images visible in the server's region.
func (s *Server) syncCatalog(ctx context.Context) error {
	return catalog.Sync(ctx, s.db, s.Region, time.Now())
}

func (s *Server) bases() *base.Library {
	return &base.Library{Store: s.db, Region: s.region, Now: time.Now}
}

func (s *Server) listBases(ctx context.Context, _ admin.None, _ admin.Send) ([]admin.Base, error) {
	list, err := s.bases().List(ctx)
	if err != nil {
		return nil, err
	}
	bases := make([]admin.Base, 0, len(list))
	for _, b := range list {
		bases = append(bases, baseOf(b))
	}
	return bases, nil
}

func (s *Server) addBase(ctx context.Context, in admin.BaseAdd, send admin.Send) (admin.Base, error) {
	send(admin.Message{Progress: "storing " + in.Path})
	b, err := s.bases().Add(ctx, base.Disk{Name: in.Name, Path: in.Path, Format: disk.Format(in.Format)})
	return baseOf(b), err
}

func (s *Server) removeBase(ctx context.Context, in admin.BaseName, _ admin.Send) (admin.None, error) {
	return admin.None{}, s.bases().Remove(ctx, in.Name)
}

func baseOf(b base.Base) admin.Base {
	return admin.Base{
		Name: b.Name, DisplayName: b.DisplayName, OSVersion: b.OSVersion, DefaultUser: b.DefaultUser,
		Source: sourceOf(b.Image), Built: b.AMI.ID != "", AMI: b.AMI.ID, ImageARN: b.AMI.ImageARN,
	}
}

// sourceOf is the subcommand of `ingot base` that brings a disk for an image.
func sourceOf(m catalog.Image) string {
	switch {
	case m.Bootstrap != nil:
		return "build"
	case m.Download != nil:
		return "pull"
	}
	return "import"
}
