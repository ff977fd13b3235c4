package server

import (
	"cmp"
	"context"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
)

func (s *Server) handleParameters(h *admin.Handler) {
	admin.Handle(h, "parameter/put", s.putParameter)
	admin.Handle(h, "parameter/get", s.getParameter)
	admin.Handle(h, "parameter/list", s.listParameters)
	admin.Handle(h, "parameter/remove", s.removeParameter)
}

// scopeOf is the name space of a request; what it leaves out is the server's own.
func (s *Server) scopeOf(account, region string) ingot.Scope {
	return ingot.Scope{Account: cmp.Or(account, s.Account), Region: cmp.Or(region, s.Region)}
}

func (s *Server) putParameter(ctx context.Context, in admin.Parameter, _ admin.Send) (admin.Parameter, error) {
	p := ingot.Parameter{
		Scope: s.scopeOf(in.Account, in.Region), Name: in.Name, Value: in.Value,
		DataType: cmp.Or(in.DataType, ingot.ParameterText), Modified: time.Now().UTC(),
	}
	if err := ingot.CheckParameter(p); err != nil {
		return admin.Parameter{}, err
	}
	if p.DataType == ingot.ParameterImage {
		if _, err := s.db.FindAMI(ctx, p.Scope, p.Value); err != nil {
			return admin.Parameter{}, err
		}
	}
	stored, err := s.db.PutParameter(ctx, p)
	return parameterOf(stored), err
}

func (s *Server) getParameter(ctx context.Context, in admin.ParameterName, _ admin.Send) (admin.Parameter, error) {
	p, err := s.db.FindParameter(ctx, s.scopeOf(in.Account, in.Region), in.Name)
	return parameterOf(p), err
}

func (s *Server) listParameters(ctx context.Context, in admin.ParameterName, _ admin.Send) ([]admin.Parameter, error) {
	const page = 100
	list, after := []admin.Parameter{}, ""
	for {
		found, err := s.db.ListParameters(ctx, s.scopeOf(in.Account, in.Region), after, page)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			list, after = append(list, parameterOf(p)), p.Name
		}
		if len(found) < page {
			return list, nil
		}
	}
}

func (s *Server) removeParameter(ctx context.Context, in admin.ParameterName, _ admin.Send) (admin.None, error) {
	return admin.None{}, s.db.DeleteParameter(ctx, s.scopeOf(in.Account, in.Region), in.Name)
}

func parameterOf(p ingot.Parameter) admin.Parameter {
	return admin.Parameter{
		Account: p.Account, Region: p.Region, Name: p.Name, Value: p.Value,
		DataType: p.DataType, Version: p.Version, Modified: p.Modified,
	}
}
