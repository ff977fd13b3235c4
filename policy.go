package ingot

import (
	"context"
	"slices"
)

// filterShared finds the resources whose policy names other accounts.
const filterShared = "shared"

// PutPolicy stores the policy of a resource as its owner wrote it; an empty one
// ends the sharing. accounts are those that it names. Source: api.md §9.3.
func PutPolicy(ctx context.Context, tx RecordWriter, arn ARN, policy string, accounts []string) error {
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		r.Policy = policy
		delete(r.Attributes, filterShared)
		if slices.ContainsFunc(accounts, func(a string) bool { return a != arn.Account }) {
			r.Attributes[filterShared] = []string{"true"}
		}
		return nil
	})
	return err
}

// checkUnshared returns CodeDependency when other accounts may use a resource
// that is to be deleted.
func checkUnshared(r Record) error {
	if len(r.Attributes[filterShared]) == 0 {
		return nil
	}
	return Errorf(CodeDependency, "Resource dependency error: The policy of the resource '%s' shares it with other accounts. Put a policy with an empty list of statements on it, then delete it.", r.ARN)
}
