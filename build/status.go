package build

import (
	"context"
	"fmt"
	"slices"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// before lists the statuses that an image may have when a build moves it to
// one: those of earlier stages, or to itself, as the step may be repeated.
func before(to model.ImageStatus) []model.ImageStatus {
	from := []model.ImageStatus{to}
	for _, s := range ingot.ImagePending {
		if s := model.ImageStatus(s); s != to && ingot.ImageMayBecome(s, to) {
			from = append(from, s)
		}
	}
	return from
}

// advance moves an image to a status and lets change add to its document. An
// image that another writer took out of the build is CodeInUse.
func (b *Builder) advance(ctx context.Context, arn ingot.ARN, to model.ImageStatus, change func(*model.Image)) (*model.Image, error) {
	var image *model.Image
	err := b.Records.Write(ctx, func(tx ingot.Tx) (err error) {
		image, err = b.advanceIn(ctx, tx, arn, to, change)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making %s %s: %w", arn, to, err)
	}
	return image, nil
}

func (b *Builder) advanceIn(ctx context.Context, tx ingot.Tx, arn ingot.ARN, to model.ImageStatus, change func(*model.Image)) (image *model.Image, err error) {
	err = ingot.UpdateImage(ctx, tx, arn, before(to), to, b.Now(), func(i *model.Image) {
		if change != nil {
			change(i)
		}
		image = i
	})
	if err == nil {
		b.statuses.set(arn.String(), to) // if the commit fails, the next change puts it right
	}
	return image, err
}

// isOver reports whether a build has nothing more to do to an image.
func isOver(status string) bool { return !slices.Contains(ingot.ImagePending, status) }
