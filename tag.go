package ingot

import (
	"context"
	"maps"
	"strings"
)

// maxTags is the number of tags a resource may carry. Source: api.md §9.4.
const maxTags = 50

// CheckTags checks tags beyond the limits of the model.
func CheckTags(field string, tags map[string]string) error {
	if len(tags) > maxTags {
		return InvalidField(field, "A resource has at most %d tags, not %d.", maxTags, len(tags))
	}
	for key := range tags {
		if len(key) >= 4 && strings.EqualFold(key[:4], "aws:") {
			return InvalidField(field, "The tag key '%s' begins with 'aws:', which is reserved.", key)
		}
	}
	return nil
}

// AddTags merges tags into those of a resource.
func AddTags(ctx context.Context, tx Tx, arn ARN, tags map[string]string) error {
	return changeTags(ctx, tx, arn, func(all map[string]string) { maps.Copy(all, tags) })
}

// RemoveTags takes tags from a resource; keys that it does not have are ignored.
func RemoveTags(ctx context.Context, tx Tx, arn ARN, keys []string) error {
	return changeTags(ctx, tx, arn, func(all map[string]string) {
		for _, k := range keys {
			delete(all, k)
		}
	})
}

func changeTags(ctx context.Context, tx Tx, arn ARN, change func(map[string]string)) error {
	r, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	change(r.Tags)
	if err := CheckTags("tags", r.Tags); err != nil {
		return err
	}
	return tx.SetTags(ctx, arn, r.Tags)
}
