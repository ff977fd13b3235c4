package api

import (
	"context"
	"slices"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// targetARN parses an ARN member of the request in hand. Another region has
// nothing of this one: CodeNotFound. Source: api.md §2.1.
func targetARN(ctx context.Context, field, text string) (ingot.ARN, error) {
	c := callerOf(ctx)
	arn, err := ingot.ParseARN(text)
	if err != nil {
		return ingot.ARN{}, ingot.InvalidField(field, "%s", err)
	}
	if arn.Partition != c.Partition {
		return ingot.ARN{}, ingot.InvalidField(field, "This server has the partition '%s', not '%s'.", c.Partition, arn.Partition)
	}
	if arn.Region != c.Region {
		return ingot.ARN{}, ingot.NotFound(arn)
	}
	return arn, nil
}

// visibleARN parses the ARN of something to read: the caller's own or managed.
func visibleARN(ctx context.Context, field, text string) (ingot.ARN, error) {
	arn, err := targetARN(ctx, field, text)
	if err != nil {
		return ingot.ARN{}, err
	}
	if arn.Account != callerOf(ctx).Account && !arn.IsManaged() {
		return ingot.ARN{}, ingot.NotFound(arn)
	}
	return arn, nil
}

// ownARN parses the ARN of something to change, which must be the caller's
// and name one stored resource. Source: api.md §2.5, §3.
func ownARN(ctx context.Context, field, text string) (ingot.ARN, error) {
	arn, err := targetARN(ctx, field, text)
	if err != nil {
		return ingot.ARN{}, err
	}
	if err := checkExact(field, arn); err != nil {
		return ingot.ARN{}, err
	}
	if arn.Account != callerOf(ctx).Account {
		return ingot.ARN{}, ingot.Errorf(ingot.CodeForbidden, "The resource '%s' belongs to another account and cannot be changed.", arn)
	}
	return arn, nil
}

// exactARN parses the ARN of something to read that must be one stored resource.
func exactARN(ctx context.Context, field, text string) (ingot.ARN, error) {
	arn, err := visibleARN(ctx, field, text)
	if err != nil {
		return ingot.ARN{}, err
	}
	return arn, checkExact(field, arn)
}

func checkExact(field string, arn ingot.ARN) error {
	if arn.IsExact() {
		return nil
	}
	hint := ""
	if arn.Kind.HasBuilds() {
		hint = " and build"
	}
	return ingot.InvalidField(field, "'%s' does not name one resource. Give the ARN with its whole version%s.", arn, hint)
}

// newARN is the ARN of a resource that the caller makes.
func newARN(ctx context.Context, kind ingot.Kind, name string, v ingot.Version) ingot.ARN {
	c := callerOf(ctx)
	return ingot.ARN{
		Partition: c.Partition, Region: c.Region, Account: c.Account,
		Kind: kind, Name: ingot.NormalizeName(name), Version: v,
	}
}

// find returns what an ARN member names for the caller. An image without a
// build is one that is AVAILABLE. Source: api.md §2.5, §9.3.
func (s *Server) find(ctx context.Context, field, text string) (ingot.Record, error) {
	arn, err := targetARN(ctx, field, text)
	if err != nil {
		return ingot.Record{}, err
	}
	return findFor(ctx, s.Store, callerOf(ctx).Account, arn)
}

func findFor(ctx context.Context, r ingot.RecordReader, account string, arn ingot.ARN) (ingot.Record, error) {
	var statuses []string
	if arn.Kind == ingot.KindImage && !arn.IsBuild() {
		statuses = []string{string(model.ImageStatusAvailable)}
	}
	return ingot.Find(ctx, r, account, arn, statuses...)
}

// ownerQuery is where a list with the owner member looks; ok is false when
// nothing of that owner is here. Source: api.md §3.14.
func ownerQuery(ctx context.Context, kind ingot.Kind, owner model.Ownership) (q ingot.Query, ok bool) {
	q = ingot.Query{Scope: callerOf(ctx).Scope, Kind: kind}
	switch owner {
	case "", model.OwnershipSelf:
		return q, true
	case model.OwnershipShared:
		q.Shared = ingot.ShareList
		return q, true
	case model.OwnershipAmazon:
		q.Scope.Account = ingot.ManagedAccount
		return q, true
	}
	return ingot.Query{}, false
}

// filters are the filters of a list; names are those that it knows.
func filters(in []model.Filter, names ...string) ([]ingot.Filter, error) {
	var out []ingot.Filter
	for _, f := range in {
		if !slices.Contains(names, f.Name) {
			return nil, ingot.Errorf(ingot.CodeRequest, "The filter '%s' is not supported by this operation. Its filters are: %s.", f.Name, strings.Join(names, ", "))
		}
		out = append(out, ingot.Filter{Name: f.Name, Values: f.Values})
	}
	return out, nil
}

func hasFilter(list []ingot.Filter, name string) bool {
	return slices.ContainsFunc(list, func(f ingot.Filter) bool { return f.Name == name })
}

// collapse says what an entry of a list with the member byName stands for.
// Source: api.md §3.14.
func collapse(byName *bool, selected []ingot.Filter) (ingot.Collapse, error) {
	if byName == nil || !*byName {
		return ingot.Versions, nil
	}
	if hasFilter(selected, ingot.FilterVersion) {
		return 0, ingot.Errorf(ingot.CodeCombination, "The parameter 'byName' and a filter 'version' exclude each other.")
	}
	return ingot.Names, nil
}

// buildsQuery selects the builds of a version, of another account those that
// the caller may list, or without an ARN all builds of the caller's account. Its
// CodeNotFound means an empty list. Source: api.md §2.5.
func buildsQuery(ctx context.Context, kind ingot.Kind, field, text string) (ingot.Query, error) {
	q := ingot.Query{Scope: callerOf(ctx).Scope, Kind: kind}
	if text == "" {
		return q, nil
	}
	arn, err := targetARN(ctx, field, text)
	if err != nil {
		return ingot.Query{}, err
	}
	q.Under = arn
	switch arn.Account {
	case q.Scope.Account:
	case ingot.ManagedAccount:
		q.Scope = arn.Scope()
	default:
		q.Shared = ingot.ShareList
	}
	return q, nil
}
