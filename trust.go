package ingot

import (
	"context"
	"slices"
	"strings"
)

// CrossAccountRole is the role of an account that lets images of other accounts
// be delivered to it. Source: distribution.md §8.
const CrossAccountRole = "EC2ImageBuilderDistributionCrossAccountRole"

// trustsTag is the tag of that role with the accounts that it trusts, between
// blanks. A role without it trusts all accounts of the server. Choice: roles
// have no trust policies here, and whoever makes roles makes the accounts.
const trustsTag = "trusts"

// TakesImages says whether images of the account source may be delivered to
// another account.
func TakesImages(ctx context.Context, r IdentityReader, account, source string) (bool, error) {
	role, err := r.Principal(ctx, PrincipalName{Account: account, Kind: PrincipalRole, Name: CrossAccountRole})
	switch {
	case ErrorCode(err) == CodeNotFound:
		return false, nil
	case err != nil:
		return false, err
	}
	list, limited := role.Tags[trustsTag]
	return !limited || slices.Contains(strings.Fields(list), source), nil
}
