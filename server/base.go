package server

import (
	"context"
	"time"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/base"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/disk"
)

func (s *Server) library() *base.Library {
	return &base.Library{Store: s.db, Region: s.region, Now: time.Now}
}

func (s *Server) syncCatalog(ctx context.Context) error {
	return catalog.Sync(ctx, s.db, s.Region, time.Now())
}

func (s *Server) listBases(ctx context.Context, _ admin.None, _ admin.Send) ([]admin.Base, error) {
	bases, err := s.library().List(ctx)
	if err != nil {
		return nil, err
	}
	out := []admin.Base{}
	for _, b := range bases {
		if !b.IsContainer() {
			out = append(out, adminBase(b))
		}
	}
	return out, nil
}

func (s *Server) addBase(ctx context.Context, in admin.BaseAdd, send admin.Send) (admin.Base, error) {
	send(admin.Message{Progress: "storing " + in.Path})
	b, err := s.library().Add(ctx, base.Disk{Name: in.Name, Path: in.Path, Format: disk.Format(in.Format)})
	if err != nil {
		return admin.Base{}, err
	}
	return adminBase(b), nil
}

func (s *Server) removeBase(ctx context.Context, in admin.BaseName, _ admin.Send) (admin.None, error) {
	return admin.None{}, s.library().Remove(ctx, in.Name)
}

func adminBase(b base.Base) admin.Base {
	source := "import"
	switch {
	case b.Bootstrap != nil:
		source = "build"
	case b.Download != nil:
		source = "pull"
	}
	return admin.Base{
		Name: b.Name, DisplayName: b.DisplayName, OSVersion: b.OSVersion, DefaultUser: b.DefaultUser,
		Source: source, Built: b.AMI.ID != "", AMI: b.AMI.ID, ImageARN: b.AMI.ImageARN,
	}
}
