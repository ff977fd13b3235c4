package ingot

import (
	"context"
	"slices"
)

// Share is what a resource policy lets other accounts do.
type Share string

const (
	ShareGet  Share = "get"  // read the resource, and name it in resources of their own
	ShareList Share = "list" // find it in lists
)

// shareable are the kinds that may have a policy. Source: api.md §9.3.
var shareable = map[Kind]bool{
	KindComponent: true, KindImage: true, KindImageRecipe: true, KindContainerRecipe: true,
}

// filterShared finds the resources whose policy names other accounts.
const filterShared = "shared"

// ResourcePolicy is the policy of a resource, and what it means.
type ResourcePolicy struct {
	Document string // as its owner wrote it; empty: none
	Shares   map[Share][]string
	Accounts []string // all that it names, "*" for everyone
}

// PutPolicy gives a resource its policy, which takes effect at once. An empty
// one ends the sharing. Source: api.md §9.3.
func PutPolicy(ctx context.Context, tx RecordWriter, arn ARN, policy ResourcePolicy) error {
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		r.Policy, r.Shares = policy.Document, map[Share][]string{}
		for share, accounts := range policy.Shares {
			r.Shares[share] = slices.DeleteFunc(slices.Clone(accounts), func(a string) bool { return a == arn.Account })
		}
		delete(r.Attributes, filterShared)
		if slices.ContainsFunc(policy.Accounts, func(a string) bool { return a != arn.Account }) {
			r.Attributes[filterShared] = []string{"true"}
		}
		return nil
	})
	return err
}

// finder is what Find needs of a [RecordReader].
type finder interface {
	Resolve(ctx context.Context, arn ARN, statuses ...string) (Record, error)
	List(ctx context.Context, q Query) (Page, error)
}

// Find returns what an ARN names for an account, as [RecordReader.Resolve]
// does: among its own resources, the managed ones, and those of other accounts
// that their policies let it get. What it may not see does not exist.
func Find(ctx context.Context, r finder, account string, arn ARN, statuses ...string) (Record, error) {
	if arn.Account == account || arn.IsManaged() {
		return r.Resolve(ctx, arn, statuses...)
	}
	if !shareable[arn.Kind] {
		return Record{}, NotFound(arn)
	}
	q := Query{Scope: Scope{Account: account, Region: arn.Region}, Shared: ShareGet, Kind: arn.Kind, Under: arn, Limit: 1}
	if len(statuses) > 0 {
		q.Filters = []Filter{{Name: FilterStatus, Values: statuses}}
	}
	page, err := r.List(ctx, q)
	if err != nil {
		return Record{}, err
	}
	if len(page.Records) == 0 {
		return Record{}, NotFound(arn)
	}
	return page.Records[0], nil
}

// checkUnshared returns CodeDependency when other accounts may use a resource
// that is to be deleted.
func checkUnshared(r Record) error {
	if len(r.Attributes[filterShared]) == 0 {
		return nil
	}
	return Errorf(CodeDependency, "Resource dependency error: The policy of the resource '%s' shares it with other accounts. Put a policy with an empty list of statements on it, then delete it.", r.ARN)
}
