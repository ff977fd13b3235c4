package ingot

import (
	"context"
	"time"

	"ingot.dev/ingot/model"
)

// ManagedComponent is a component of the catalogue.
type ManagedComponent struct {
	Partition, Region string
	Name              string // also its normal form
	Version           Version
	Platform          model.Platform
	Description       string
	Data              string
	ComponentDocument
	Created time.Time
}

// PutManagedComponents makes components of the catalogue visible. A version
// that is there stays as it is: another document needs another version.
func PutManagedComponents(ctx context.Context, s Store, list []ManagedComponent) error {
	return s.Write(ctx, func(tx Tx) error {
		for _, m := range list {
			if err := putManagedComponent(ctx, tx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func putManagedComponent(ctx context.Context, tx Tx, m ManagedComponent) error {
	arn := ARN{
		Partition: m.Partition, Region: m.Region, Account: ManagedAccount,
		Kind: KindComponent, Name: m.Name, Version: m.Version,
	}
	there, err := findComponent(ctx, tx, arn.Account, arn)
	if there != nil || err != nil {
		return err
	}
	arn = arn.WithBuild(1)
	record, err := NewComponentRecord(arn, &model.Component{
		Arn: arn.String(), Name: m.Name, Version: m.Version.String(), Description: m.Description, Type: m.Type,
		Platform: m.Platform, Parameters: m.Parameters, State: &model.ComponentState{Status: model.ComponentStatusActive},
		Owner: arn.Owner(), Data: m.Data, Encrypted: new(true), DateCreated: model.DateTime(m.Created),
	}, nil, m.Created)
	if err != nil {
		return err
	}
	return tx.Create(ctx, record)
}
