package build

import (
	"context"
	"errors"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/distribute"
	"ingot.dev/ingot/model"
)

// delivery is how the AMI in the build's own region is registered.
type delivery struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags"`
}

// deliverTo takes over what the distribution configuration says.
func (p *plan) deliverTo(arn ingot.ARN, image *model.Image) error {
	if image.DistributionConfiguration != nil {
		p.Distributions = image.DistributionConfiguration.Distributions
	}
	source := ingot.AMI{Description: p.Parent.Description}
	if r := image.ImageRecipe; r != nil {
		p.AMITags, source.Description = r.AmiTags, r.Description
	}
	list, err := distribute.Destinations(p.destined(arn, source), p.Distributions)
	if err != nil {
		return err
	}
	p.AMI = delivery{Name: list[0].Name, Description: list[0].Description, Tags: list[0].Tags} // its own is the first
	return nil
}

// destined is what all destinations of the image share.
func (p plan) destined(arn ingot.ARN, source ingot.AMI) distribute.Image {
	return distribute.Image{
		ARN: arn, Name: p.Name, Source: source, Tags: p.AMITags,
		Values: ingot.Placeholders{BuildDate: p.Started, BuildVersion: arn.Build},
	}
}

func (w *work) distributor() *distribute.Service {
	return &distribute.Service{Regions: w.Regions, AMIs: w.Records, Parameters: w.Records, Trusts: w.Trusts, Role: w.Plan.Role, Now: w.Now}
}

// ownTags mark everything a build makes. Source: api.md §8.5.
func ownTags(image string) map[string]string {
	return map[string]string{"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image}
}

// deliver begins the distribution: the image has its AMI in its own region and
// account, and lists it. It returns the AMI's id.
func (b *Builder) deliver(ctx context.Context, t task) (string, error) {
	w, err := b.enter(ctx, t)
	if err != nil {
		return "", err
	}
	ami, err := w.listOwn(ctx)
	return ami.ID, atStage(errors.Join(err, w.leave()), &model.FailureContext{ImageStatus: model.ImageStatusDistributing})
}

func (w *work) listOwn(ctx context.Context) (ingot.AMI, error) {
	ami, err := w.ownAMI(ctx)
	if err != nil {
		return ami, err
	}
	_, err = w.advance(ctx, w.image, model.ImageStatusDistributing, func(image *model.Image) {
		image.OutputResources = &model.OutputResources{Amis: []model.Ami{{
			Region: ami.Region, AccountId: ami.Account, Image: ami.ID, Name: ami.Name, Description: ami.Description,
			State: &model.ImageState{Status: model.ImageStatusAvailable},
		}}}
	})
	return ami, err
}

// ownAMI is the AMI that the BUILD workflow made. Without such a workflow the
// image is its parent's AMI. Source: api.md §12 G9.
func (w *work) ownAMI(ctx context.Context) (ingot.AMI, error) {
	switch w.Image {
	case "":
		return ingot.AMI{}, errNoImage
	case w.Plan.Parent.ID:
		return w.Plan.Parent, nil
	}
	return w.ami(ctx, w.Image)
}

// distribute carries out the distribution configuration, and makes the image
// AVAILABLE. Source: distribution.md §6.
func (b *Builder) distribute(ctx context.Context, t task) (any, error) {
	w, err := b.enter(ctx, t)
	if err != nil {
		return nil, err
	}
	begun := b.Now()
	err = w.carryOut(ctx)
	w.observeDistribution(begun, err)
	if err == nil {
		_, err = b.complete(ctx, t)
	}
	if f := failureOf(err); f != nil {
		w.log.note("%s", f.Message)
	}
	return nil, errors.Join(err, w.leave())
}

// carryOut delivers to all destinations, and then integrates what has arrived.
func (w *work) carryOut(ctx context.Context) error {
	source, err := w.listOwn(ctx)
	if err != nil {
		return atStage(err, &model.FailureContext{ImageStatus: model.ImageStatusDistributing})
	}
	service := w.distributor()
	rows, err := w.copyTo(ctx, source, w.Plan.Distributions)
	if err == nil {
		rows = service.Permit(ctx, rows, w.Plan.Distributions)
		err = w.list(ctx, model.ImageStatusDistributing, rows)
	}
	if err == nil {
		err = w.undelivered("Distribution", model.ImageStatusDistributing, rows)
	}
	if err != nil || !distribute.NeedsConfiguring(w.Plan.Distributions) {
		return err
	}
	if err := w.list(ctx, model.ImageStatusIntegrating, rows); err != nil {
		return err
	}
	rows = service.Configure(ctx, w.image.Account, rows, w.Plan.Distributions)
	return w.undelivered("Integration", model.ImageStatusIntegrating, rows)
}

// copyTo makes an AMI for each destination of a configuration.
func (w *work) copyTo(ctx context.Context, source ingot.AMI, list []model.Distribution) ([]distribute.Row, error) {
	image := w.Plan.destined(w.image, source)
	destinations, err := distribute.Destinations(image, list)
	if err != nil {
		return nil, atStage(err, &model.FailureContext{ImageStatus: model.ImageStatusDistributing})
	}
	return w.distributor().Copy(ctx, image, destinations), nil
}

// list shows the rows as outputs of the image. A cancelled distribution has
// nothing more to show. Source: distribution.md §9.
func (w *work) list(ctx context.Context, status model.ImageStatus, rows []distribute.Row) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, err := w.advance(ctx, w.image, status, func(image *model.Image) {
		image.OutputResources = &model.OutputResources{Amis: []model.Ami{}}
		for _, r := range rows {
			ami := model.Ami{
				Region: r.Region, AccountId: r.Account, Image: r.AMI, Name: r.Name, Description: w.Plan.AMI.Description,
				State: &model.ImageState{Status: model.ImageStatusAvailable},
			}
			if r.Status != distribute.Completed && r.AMI == "" {
				ami.State = &model.ImageState{Status: model.ImageStatusFailed, Reason: shorten(r.ErrorMessage, maxReason)}
			}
			image.OutputResources.Amis = append(image.OutputResources.Amis, ami)
		}
	})
	return err
}

// undelivered is the failure of rows that are not completed, in the published
// form. Source: distribution.md §7.
func (w *work) undelivered(what string, status model.ImageStatus, rows []distribute.Row) error {
	f := distribute.Failure(rows)
	if f == nil {
		return nil
	}
	err := fmt.Errorf("%s failed with JobId '%s', status = 'Failed' for ARN '%s'. %s", what, derived(w.Plan.Image, what), w.Plan.Image, f.ErrorMessage)
	return atStage(err, &model.FailureContext{ImageStatus: status, DistributionFailure: f})
}

// complete makes the image AVAILABLE.
func (b *Builder) complete(ctx context.Context, t task) (any, error) {
	arn, err := ingot.ParseARN(t.Plan.Image)
	if err != nil {
		return nil, err
	}
	_, err = b.advance(ctx, arn, model.ImageStatusAvailable, nil)
	return nil, atStage(err, &model.FailureContext{ImageStatus: model.ImageStatusDistributing})
}
