package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// reservedResourceTags are set by the service on instances. Source: api.md §3.4.
var reservedResourceTags = map[string]bool{"CreatedBy": true, "Ec2ImageBuilderArn": true, "Name": true, "Tags": true}

// NewInfrastructure is the configuration that a request asks for.
func NewInfrastructure(arn ARN, in *model.CreateInfrastructureConfigurationRequest, now time.Time) *model.InfrastructureConfiguration {
	return withDefaults(&model.InfrastructureConfiguration{
		Arn: arn.String(), Name: in.Name, Description: in.Description, DateCreated: model.DateTime(now),
		InstanceTypes: in.InstanceTypes, InstanceProfileName: in.InstanceProfileName,
		SecurityGroupIds: in.SecurityGroupIds, SubnetId: in.SubnetId, Logging: in.Logging, KeyPair: in.KeyPair,
		TerminateInstanceOnFailure: in.TerminateInstanceOnFailure, SnsTopicArn: in.SnsTopicArn,
		ResourceTags: in.ResourceTags, InstanceMetadataOptions: in.InstanceMetadataOptions, Placement: in.Placement,
	})
}

// ReplaceInfrastructure is the configuration after an update, which clears
// what the request leaves out. Source: api.md §3.4.
func ReplaceInfrastructure(old *model.InfrastructureConfiguration, in *model.UpdateInfrastructureConfigurationRequest, now time.Time) *model.InfrastructureConfiguration {
	return withDefaults(&model.InfrastructureConfiguration{
		Arn: old.Arn, Name: old.Name, Description: in.Description, DateCreated: old.DateCreated, DateUpdated: model.DateTime(now),
		InstanceTypes: in.InstanceTypes, InstanceProfileName: in.InstanceProfileName,
		SecurityGroupIds: in.SecurityGroupIds, SubnetId: in.SubnetId, Logging: in.Logging, KeyPair: in.KeyPair,
		TerminateInstanceOnFailure: in.TerminateInstanceOnFailure, SnsTopicArn: in.SnsTopicArn,
		ResourceTags: in.ResourceTags, InstanceMetadataOptions: in.InstanceMetadataOptions, Placement: in.Placement,
	})
}

func withDefaults(c *model.InfrastructureConfiguration) *model.InfrastructureConfiguration {
	if c.TerminateInstanceOnFailure == nil {
		c.TerminateInstanceOnFailure = new(true)
	}
	if len(c.InstanceTypes) == 0 {
		c.InstanceTypes = nil // the same as absent, api.md §3.4
	}
	return c
}

// CheckInfrastructure checks the members of a configuration against each other.
func CheckInfrastructure(c *model.InfrastructureConfiguration, region string) error {
	if c.SubnetId != "" && len(c.SecurityGroupIds) == 0 {
		return Errorf(CodeCombination, "The parameter 'subnetId' needs 'securityGroupIds' too.")
	}
	if err := checkTopic(c.SnsTopicArn, region); err != nil {
		return err
	}
	for key := range c.ResourceTags {
		if reservedResourceTags[key] {
			return InvalidField("resourceTags", "The tag key '%s' is set by the service.", key)
		}
	}
	return checkPlacement(c.Placement)
}

func checkTopic(arn, region string) error {
	if arn == "" {
		return nil
	}
	if strings.HasSuffix(arn, ".fifo") {
		return InvalidField("snsTopicArn", "A FIFO topic cannot be used. Name a standard topic.")
	}
	if topic := strings.Split(arn, ":"); len(topic) > 3 && topic[3] != region {
		return InvalidField("snsTopicArn", "The topic is in %s; the configuration is in %s.", topic[3], region)
	}
	return nil
}

func checkPlacement(p *model.Placement) error {
	if p == nil {
		return nil
	}
	if p.HostId != "" && p.HostResourceGroupArn != "" {
		return Errorf(CodeCombination, "The parameters 'placement.hostId' and 'placement.hostResourceGroupArn' exclude each other.")
	}
	if (p.HostId != "" || p.HostResourceGroupArn != "") && p.Tenancy != model.TenancyTypeHost {
		return Errorf(CodeCombination, "The parameters 'placement.hostId' and 'placement.hostResourceGroupArn' need the tenancy 'host'.")
	}
	return nil
}

// CreateInfrastructure stores a new, checked configuration.
func CreateInfrastructure(ctx context.Context, tx Tx, arn ARN, c *model.InfrastructureConfiguration, tags map[string]string, now time.Time) error {
	return createConfiguration(ctx, tx, arn, c.Name, c, tags, now)
}

// createConfiguration stores a resource that is its name: no versions.
func createConfiguration(ctx context.Context, tx Tx, arn ARN, name string, document any, tags map[string]string, now time.Time) error {
	switch _, err := tx.Get(ctx, arn); {
	case err == nil:
		return AlreadyExists(arn)
	case ErrorCode(err) != CodeNotFound:
		return err
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), arn.Kind); err != nil {
		return err
	}
	data, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", arn, err)
	}
	return tx.Create(ctx, Record{ARN: arn, Name: name, Created: now, Updated: now, Document: data, Tags: tags})
}

// UpdateInfrastructure replaces a stored configuration.
func UpdateInfrastructure(ctx context.Context, tx Tx, arn ARN, in *model.UpdateInfrastructureConfigurationRequest, now time.Time) error {
	if err := CheckInfrastructure(ReplaceInfrastructure(&model.InfrastructureConfiguration{}, in, now), arn.Region); err != nil {
		return err
	}
	return updateDocument(ctx, tx, arn, now, func(old *model.InfrastructureConfiguration) (*model.InfrastructureConfiguration, error) {
		return ReplaceInfrastructure(old, in, now), nil
	})
}

// updateDocument replaces the document of a record by what change makes of it.
func updateDocument[T any](ctx context.Context, tx Tx, arn ARN, now time.Time, change func(*T) (*T, error)) error {
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		old, err := Decode[T](*r)
		if err != nil {
			return err
		}
		changed, err := change(old)
		if err != nil {
			return err
		}
		if r.Document, err = json.Marshal(changed); err != nil {
			return fmt.Errorf("encoding %s: %w", arn, err)
		}
		r.Updated = now
		return nil
	})
	return err
}
