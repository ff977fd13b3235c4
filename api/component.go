package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

func (s *Server) registerComponents() {
	write(s, "CreateComponent", s.createComponent)
	write(s, "ImportComponent", s.importComponent)
	write(s, "DeleteComponent", s.deleteComponent)
	read(s, "GetComponent", s.getComponent)
	read(s, "ListComponents", s.listComponents)
	read(s, "ListComponentBuildVersions", s.listComponentBuildVersions)
}

func (s *Server) createComponent(ctx context.Context, tx ingot.Tx, in *model.CreateComponentRequest) (*model.CreateComponentResponse, error) {
	if err := ingot.CheckComponentSource(in); err != nil {
		return nil, err
	}
	var err error
	if in.Data, err = documentOf(ctx, in.Data); err != nil {
		return nil, err
	}
	return s.storeComponent(ctx, tx, in)
}

// storeComponent makes a component whose document is in data.
func (s *Server) storeComponent(ctx context.Context, tx ingot.Tx, in *model.CreateComponentRequest) (*model.CreateComponentResponse, error) {
	version, err := ingot.ParseVersion(in.SemanticVersion)
	if err != nil {
		return nil, err
	}
	doc, err := checkDocument(in)
	if err != nil {
		return nil, err
	}
	arn, err := ingot.CreateComponent(ctx, tx, newARN(ctx, ingot.KindComponent, in.Name, version), in, doc, s.Now())
	if err != nil {
		return nil, err
	}
	return &model.CreateComponentResponse{
		ComponentBuildVersionArn: arn.String(),
		LatestVersionReferences:  ingot.LatestVersionReferences(arn),
	}, nil
}

// documentPlatforms are the platforms of the API in the words of documents.
var documentPlatforms = map[model.Platform]string{
	model.PlatformLinux: "linux", model.PlatformWindows: "windows", model.PlatformMacOS: "darwin",
}

// checkDocument returns what a component takes over from its document, or all
// faults of the document, a line each.
func checkDocument(in *model.CreateComponentRequest) (ingot.ComponentDocument, error) {
	doc, findings := toe.Check([]byte(in.Data), toe.CheckOptions{Path: "data", Platform: documentPlatforms[in.Platform], Service: true})
	if err := findings.Err(); err != nil {
		return ingot.ComponentDocument{}, ingot.InvalidField("data", "%s", err)
	}
	out := ingot.ComponentDocument{Type: model.ComponentType(doc.Type())}
	for _, p := range doc.Parameters {
		detail := model.ComponentParameterDetail{Name: p.Name, Type: p.Type, Description: p.Description}
		if p.Default != nil {
			detail.DefaultValue = []string{*p.Default}
		}
		out.Parameters = append(out.Parameters, detail)
	}
	return out, nil
}

func (s *Server) getComponent(ctx context.Context, in *model.GetComponentRequest) (*model.GetComponentResponse, error) {
	record, err := s.find(ctx, "componentBuildVersionArn", in.ComponentBuildVersionArn)
	if err != nil {
		return nil, err
	}
	c, err := ingot.Decode[model.Component](record)
	if err != nil {
		return nil, err
	}
	c.Tags = record.Tags
	return &model.GetComponentResponse{Component: c, LatestVersionReferences: ingot.LatestVersionReferences(record.ARN)}, nil
}

func (s *Server) listComponents(ctx context.Context, in *model.ListComponentsRequest) (*model.ListComponentsResponse, error) {
	query, found, err := componentQuery(ctx, in)
	if err != nil || !found {
		return &model.ListComponentsResponse{}, err
	}
	page, err := s.Store.List(ctx, query)
	if err != nil {
		return nil, err
	}
	out := &model.ListComponentsResponse{NextToken: page.Next}
	for _, record := range page.Records {
		c, err := ingot.Decode[model.Component](record)
		if err != nil {
			return nil, err
		}
		arn := record.ARN.VersionARN()
		if query.Collapse == ingot.Names {
			arn = arn.WithVersion(arn.Version.Wildcard(0))
		}
		out.ComponentVersionList = append(out.ComponentVersionList, model.ComponentVersion{
			Arn: arn.String(), Name: c.Name, Version: c.Version, Description: c.Description,
			Platform: c.Platform, SupportedOsVersions: c.SupportedOsVersions, Type: c.Type,
			Owner: c.Owner, DateCreated: c.DateCreated, Status: c.State.Status, ProductCodes: c.ProductCodes,
		})
	}
	return out, nil
}

// componentQuery is the store's form of a list request. Retired versions are
// hidden unless a status is asked for. Source: api.md §3.1.
func componentQuery(ctx context.Context, in *model.ListComponentsRequest) (q ingot.Query, found bool, err error) {
	q, found = ownerQuery(ctx, ingot.KindComponent, in.Owner)
	selected, err := filters(in.Filters, ingot.FilterDescription, ingot.FilterName, ingot.FilterPlatform,
		ingot.FilterSupportedOSVersion, ingot.FilterType, ingot.FilterVersion, ingot.FilterStatus, "productCodes")
	if err != nil {
		return ingot.Query{}, false, err
	}
	counted, err := collapse(in.ByName, selected)
	if err != nil {
		return ingot.Query{}, false, err
	}
	q.Filters, q.Collapse, q.After, q.Limit = selected, counted, in.NextToken, pageSize(in.MaxResults)
	if !hasFilter(selected, ingot.FilterStatus) {
		q.Filters = append(q.Filters, ingot.Filter{Name: ingot.FilterStatus, Values: []string{string(model.ComponentStatusActive)}})
	}
	return q, found, nil
}

func (s *Server) listComponentBuildVersions(ctx context.Context, in *model.ListComponentBuildVersionsRequest) (*model.ListComponentBuildVersionsResponse, error) {
	query, err := buildsQuery(ctx, ingot.KindComponent, "componentVersionArn", in.ComponentVersionArn)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return &model.ListComponentBuildVersionsResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	query.After, query.Limit = in.NextToken, pageSize(in.MaxResults)
	page, err := s.Store.List(ctx, query)
	if err != nil {
		return nil, err
	}
	out := &model.ListComponentBuildVersionsResponse{NextToken: page.Next}
	for _, record := range page.Records {
		c, err := ingot.Decode[model.Component](record)
		if err != nil {
			return nil, err
		}
		out.ComponentSummaryList = append(out.ComponentSummaryList, model.ComponentSummary{
			Arn: c.Arn, Name: c.Name, Version: c.Version, Platform: c.Platform,
			SupportedOsVersions: c.SupportedOsVersions, State: c.State, Type: c.Type, Owner: c.Owner,
			Description: c.Description, ChangeDescription: c.ChangeDescription,
			DateCreated: c.DateCreated, Tags: record.Tags,
		})
	}
	return out, nil
}

func (s *Server) deleteComponent(ctx context.Context, tx ingot.Tx, in *model.DeleteComponentRequest) (*model.DeleteComponentResponse, error) {
	arn, err := ownARN(ctx, "componentBuildVersionArn", in.ComponentBuildVersionArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteComponentResponse{ComponentBuildVersionArn: arn.String()}, ingot.DeleteResource(ctx, tx, arn)
}
