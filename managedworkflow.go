package ingot

import (
	"context"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// ManagedWorkflow is a workflow of the catalogue.
type ManagedWorkflow struct {
	Partition, Region string
	Name              string // also its normal form
	Type              model.WorkflowType
	Version           Version
	Description       string
	Data              string
	WorkflowDocument
	Created time.Time
}

// ManagedWorkflowARN is the ARN of a version, or version pattern, of a
// workflow of the catalogue.
func ManagedWorkflowARN(partition, region string, t model.WorkflowType, name string, v Version) ARN {
	return ARN{
		Partition: partition, Region: region, Account: ManagedAccount, Kind: KindWorkflow,
		WorkflowType: strings.ToLower(string(t)), Name: name, Version: v,
	}
}

// PutManagedWorkflows makes workflows of the catalogue visible. A version that
// is there stays as it is: another document needs another version.
func PutManagedWorkflows(ctx context.Context, s Store, list []ManagedWorkflow) error {
	return s.Write(ctx, func(tx Tx) error {
		for _, m := range list {
			if err := putManagedWorkflow(ctx, tx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func putManagedWorkflow(ctx context.Context, tx Tx, m ManagedWorkflow) error {
	arn := ManagedWorkflowARN(m.Partition, m.Region, m.Type, m.Name, m.Version)
	there, err := findWorkflow(ctx, tx, arn)
	if there != nil || err != nil {
		return err
	}
	_, err = createWorkflow(ctx, tx, arn, &Workflow{Outputs: m.Outputs, Workflow: model.Workflow{
		Name: m.Name, Version: m.Version.String(), Description: m.Description, Type: m.Type, Owner: arn.Owner(),
		Data: m.Data, DateCreated: model.DateTime(m.Created), Parameters: m.Parameters,
	}}, nil, m.Created)
	return err
}
