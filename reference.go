package ingot

import (
	"context"

	"ingot.dev/ingot/model"
)

// LatestVersionReferences are the ARNs that follow new versions of a resource.
// Managed workflows have only the first. Source: api.md §2.7.
func LatestVersionReferences(arn ARN) *model.LatestVersionReferences {
	latest := func(fixed int) string {
		if fixed == 3 {
			return arn.VersionARN().String()
		}
		return arn.WithVersion(arn.Version.Wildcard(fixed)).String()
	}
	if arn.IsManaged() && arn.Kind == KindWorkflow {
		return &model.LatestVersionReferences{LatestVersionArn: latest(0)}
	}
	return &model.LatestVersionReferences{
		LatestVersionArn: latest(0), LatestMajorVersionArn: latest(1),
		LatestMinorVersionArn: latest(2), LatestPatchVersionArn: latest(3),
	}
}

// CheckDelete returns CodeDependency when another resource still needs the one
// to delete. Source: api.md §3.1 to §3.7.
func CheckDelete(ctx context.Context, r RecordReader, arn ARN) error {
	targets := []ARN{arn}
	if arn.Kind == KindComponent {
		targets = append(targets, arn.VersionARN())
	}
	if arn.Kind == KindImageRecipe || arn.Kind == KindContainerRecipe {
		patterns, err := onlySatisfied(ctx, r, arn)
		if err != nil {
			return err
		}
		targets = append(targets, patterns...)
	}
	users, err := r.Referrers(ctx, 1, targets...)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return Errorf(CodeDependency, "Resource dependency error: The resource ARN '%s' has other resources depended on it.", arn)
	}
	return nil
}

// onlySatisfied returns the wildcard ARNs that no other version of the recipe matches.
func onlySatisfied(ctx context.Context, r RecordReader, arn ARN) ([]ARN, error) {
	var patterns []ARN
	for fixed := range 3 {
		pattern := arn.WithVersion(arn.Version.Wildcard(fixed))
		n, err := r.Count(ctx, Query{Scope: arn.Scope(), Kind: arn.Kind, Under: pattern, Limit: 2})
		if err != nil {
			return nil, err
		}
		if n < 2 {
			patterns = append(patterns, pattern)
		}
	}
	return patterns, nil
}

// NotFound is the error for an ARN that names nothing. Source: api.md §1.5.
func NotFound(arn ARN) error {
	return Errorf(CodeNotFound, "The resource with ARN '%s' does not exist.", arn)
}

// AlreadyExists is the error for a name that is taken. Source: api.md §1.5.
func AlreadyExists(arn ARN) error {
	return Errorf(CodeExists, "The following resource '%s' already exists: '%s'.", arn.Kind.Title(), arn)
}

// checkFree returns CodeExists when the ARN is taken.
func checkFree(ctx context.Context, r RecordReader, arn ARN) error {
	taken, err := r.Get(ctx, arn)
	switch {
	case err == nil:
		return AlreadyExists(taken.ARN)
	case ErrorCode(err) == CodeNotFound:
		return nil
	}
	return err
}
