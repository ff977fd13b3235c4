package server

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/base"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/disk"
)

// syncCatalog makes the managed images visible in the server's regions.
func (s *Server) syncCatalog(ctx context.Context) error {
	for _, name := range s.Regions {
		if err := catalog.Sync(ctx, s.db, name, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// bases is the library of a region; without a name of the server's first.
func (s *Server) bases(in string) (*base.Library, error) {
	name := cmp.Or(in, s.Region)
	if !slices.Contains(s.Regions, name) {
		return nil, ingot.Errorf(ingot.CodeNotFound, "region %q: this server has %s", name, strings.Join(s.Regions, ", "))
	}
	local, err := s.regions.Region(name)
	return &base.Library{Store: s.db, Region: local, Now: time.Now}, err
}

func (s *Server) listBases(ctx context.Context, in admin.BaseRegion, _ admin.Send) ([]admin.Base, error) {
	library, err := s.bases(in.Region)
	if err != nil {
		return nil, err
	}
	list, err := library.List(ctx)
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
	library, err := s.bases(in.Region)
	if err != nil {
		return admin.Base{}, err
	}
	send(admin.Message{Progress: "storing " + in.Path})
	b, err := library.Add(ctx, base.Disk{Name: in.Name, Path: in.Path, Format: disk.Format(in.Format)})
	return baseOf(b), err
}

func (s *Server) removeBase(ctx context.Context, in admin.BaseName, _ admin.Send) (admin.None, error) {
	library, err := s.bases(in.Region)
	if err != nil {
		return admin.None{}, err
	}
	return admin.None{}, library.Remove(ctx, in.Name)
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
