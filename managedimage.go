package ingot

import (
	"context"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// ManagedImage is one base image of the catalogue.
type ManagedImage struct {
	Partition, Region string
	Name              string // display name
	Type              model.ImageType
	Version           Version
	Platform          model.Platform
	OSVersion         string
	AMI               string // id of the machine image, in Region; empty while there is no disk
	Description       string // of the AMI
	Created           time.Time
}

// PutManagedImage makes a base image visible as an image of the catalogue. The
// same AMI again changes nothing; another one is a new build, so that
// pipelines notice. It returns the ARN of the build.
func PutManagedImage(ctx context.Context, s Store, m ManagedImage) (arn ARN, err error) {
	version := ARN{
		Partition: m.Partition, Region: m.Region, Account: ManagedAccount,
		Kind: KindImage, Name: NormalizeName(m.Name), Version: m.Version,
	}
	err = s.Write(ctx, func(tx Tx) error {
		latest, err := tx.Resolve(ctx, version, string(model.ImageStatusAvailable))
		if err != nil && ErrorCode(err) != CodeNotFound {
			return err
		}
		if err == nil {
			arn = latest.ARN
			if same, err := hasAMI(latest, m.AMI); same || err != nil {
				return err
			}
		}
		build, err := tx.NextBuild(ctx, version)
		if err != nil {
			return err
		}
		arn = version.WithBuild(build)
		return createManagedImage(ctx, tx, arn, m)
	})
	return arn, err
}

// hasAMI reports whether an AMI is an output of a recorded image.
func hasAMI(r Record, id string) (bool, error) {
	image, err := Decode[model.Image](r)
	if err != nil || image.OutputResources == nil {
		return false, err
	}
	return slices.ContainsFunc(image.OutputResources.Amis, func(a model.Ami) bool { return a.Image == id }), nil
}

func createManagedImage(ctx context.Context, tx Tx, arn ARN, m ManagedImage) error {
	r := Record{ARN: arn, Name: m.Name, Status: string(model.ImageStatusAvailable), Created: m.Created, Updated: m.Created}
	err := putImage(&r, &model.Image{
		Arn: arn.String(), Type: m.Type, Name: m.Name, Version: imageVersion(arn),
		Platform: m.Platform, OsVersion: m.OSVersion, DateCreated: model.DateTime(m.Created),
		State: &model.ImageState{Status: model.ImageStatusAvailable}, ImageSource: model.ImageSourceAmazonManaged,
		OutputResources: m.outputs(),
	})
	if err != nil {
		return err
	}
	return tx.Create(ctx, r)
}

func (m ManagedImage) outputs() *model.OutputResources {
	switch {
	case m.Type == model.ImageTypeDocker:
		return &model.OutputResources{Containers: []model.Container{}}
	case m.AMI == "":
		return &model.OutputResources{Amis: []model.Ami{}}
	}
	return &model.OutputResources{Amis: []model.Ami{{
		Region: m.Region, Image: m.AMI, Name: m.Name, Description: m.Description, AccountId: ManagedAccount,
	}}}
}

// DeleteManagedImages removes the builds of the catalogue's images in a region
// that have the AMI, as when its base is removed.
func DeleteManagedImages(ctx context.Context, s Store, region, ami string) error {
	return s.Write(ctx, func(tx Tx) error {
		q := Query{Scope: Scope{Account: ManagedAccount, Region: region}, Kind: KindImage, Limit: 100}
		for {
			page, err := tx.List(ctx, q)
			if err != nil {
				return err
			}
			for _, r := range page.Records {
				if err := deleteIfAMI(ctx, tx, r, ami); err != nil {
					return err
				}
			}
			if q.After = page.Next; q.After == "" {
				return nil
			}
		}
	})
}

func deleteIfAMI(ctx context.Context, tx Tx, r Record, ami string) error {
	has, err := hasAMI(r, ami)
	if err != nil || !has {
		return err
	}
	return tx.Delete(ctx, r.ARN)
}
