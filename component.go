package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// Filter names of components and recipes that the store does not derive.
const (
	FilterDescription        = "description"
	FilterPlatform           = "platform"
	FilterSupportedOSVersion = "supportedOsVersion"
	FilterType               = "type"
	FilterParentImage        = "parentImage"
)

// ComponentDocument is what a component takes over from its checked document.
type ComponentDocument struct {
	Type       model.ComponentType
	Parameters []model.ComponentParameterDetail
}

// CheckComponentSource says whether exactly one source of the document is given.
func CheckComponentSource(in *model.CreateComponentRequest) error {
	if (in.Data == "") == (in.Uri == "") {
		return Errorf(CodeCombination, "Exactly one of the parameters 'data' and 'uri' must be given.")
	}
	return nil
}

// CreateComponent stores a new build of the component version arn. The same
// content as the latest build is CodeExists; another platform than the other
// builds of the name is CodeInvalid. Source: api.md §2.6, §3.1.
func CreateComponent(ctx context.Context, tx Tx, arn ARN, in *model.CreateComponentRequest, doc ComponentDocument, now time.Time) (ARN, error) {
	if arn.Version.IsWildcard() {
		return ARN{}, versionError(in.SemanticVersion, "a component needs its whole version, without x")
	}
	c := &model.Component{
		Name: in.Name, Version: in.SemanticVersion, Description: in.Description,
		ChangeDescription: in.ChangeDescription, Type: doc.Type, Platform: in.Platform,
		SupportedOsVersions: in.SupportedOsVersions, Parameters: doc.Parameters,
		State: &model.ComponentState{Status: model.ComponentStatusActive},
		Owner: arn.Owner(), Data: in.Data, KmsKeyId: in.KmsKeyId, Encrypted: new(true),
		DateCreated: model.DateTime(now),
	}
	if err := checkComponentSiblings(ctx, tx, arn, c); err != nil {
		return ARN{}, err
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), KindComponent); err != nil {
		return ARN{}, err
	}
	build, err := tx.NextBuild(ctx, arn)
	if err != nil {
		return ARN{}, fmt.Errorf("numbering a build of %s: %w", arn, err)
	}
	arn = arn.WithBuild(build)
	c.Arn = arn.String()
	record, err := NewComponentRecord(arn, c, in.Tags, now)
	if err != nil {
		return ARN{}, err
	}
	return arn, tx.Create(ctx, record)
}

// NewComponentRecord is the stored form of a component.
func NewComponentRecord(arn ARN, c *model.Component, tags map[string]string, now time.Time) (Record, error) {
	document, err := json.Marshal(c)
	if err != nil {
		return Record{}, fmt.Errorf("encoding %s: %w", arn, err)
	}
	return Record{
		ARN: arn, Name: c.Name, Status: string(c.State.Status), Created: now, Updated: now,
		Document: document, Tags: tags,
		Attributes: map[string][]string{
			FilterDescription:        present(c.Description),
			FilterPlatform:           {string(c.Platform)},
			FilterSupportedOSVersion: c.SupportedOsVersions,
			FilterType:               {string(c.Type)},
		},
	}, nil
}

func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// checkComponentSiblings compares a new build with the other builds of its name.
func checkComponentSiblings(ctx context.Context, r RecordReader, arn ARN, c *model.Component) error {
	latest, err := findComponent(ctx, r, arn.Account, arn)
	if err != nil {
		return err
	}
	if latest != nil && sameComponent(latest, c) {
		return Errorf(CodeExists, "The following resource '%s' already exists: '%s'.", KindComponent.Title(), latest.Arn)
	}
	sibling, err := findComponent(ctx, r, arn.Account, arn.WithVersion(arn.Version.Wildcard(0)))
	if err != nil {
		return err
	}
	if sibling != nil && sibling.Platform != c.Platform {
		return InvalidField("platform", "All builds of a component have one platform; '%s' has %s. Choose another name.", sibling.Arn, sibling.Platform)
	}
	return nil
}

// findComponent resolves an ARN, as an account sees it, to a component build in
// one of the statuses (none: any), or to nil.
func findComponent(ctx context.Context, r RecordReader, account string, arn ARN, statuses ...string) (*model.Component, error) {
	record, err := Find(ctx, r, account, arn, statuses...)
	if ErrorCode(err) == CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", arn, err)
	}
	return Decode[model.Component](record)
}

// sameComponent compares what makes a new build; tags and dates do not.
func sameComponent(a, b *model.Component) bool {
	return a.Data == b.Data && a.Platform == b.Platform && a.Type == b.Type &&
		slices.Equal(a.SupportedOsVersions, b.SupportedOsVersions) &&
		a.Description == b.Description && a.ChangeDescription == b.ChangeDescription &&
		a.KmsKeyId == b.KmsKeyId
}

// DeleteResource removes a record that nothing needs any more.
func DeleteResource(ctx context.Context, tx Tx, arn ARN) error {
	r, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	if err := checkUnshared(r); err != nil {
		return err
	}
	if err := CheckDelete(ctx, tx, arn); err != nil {
		return err
	}
	return tx.Delete(ctx, arn)
}
