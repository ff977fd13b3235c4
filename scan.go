package ingot

import (
	"context"
	"slices"
	"strings"

	"ingot.dev/ingot/model"
)

// Filters of scan findings, which are also the keys they are counted by.
const (
	FilterAccountID     = "accountId"
	FilterImage         = "imageBuildVersionArn"
	FilterPipeline      = "imagePipelineArn"
	FilterVulnerability = "vulnerabilityId"
	FilterSeverity      = "severity"
)

// CheckFindingsFilters checks the filters of a list of scan findings beyond the
// limits of the model. Source: scanning-and-sbom.md §5.1.
func CheckFindingsFilters(filters []model.ImageScanFindingsFilter) error {
	names := []string{FilterImage, FilterPipeline, FilterVulnerability, FilterSeverity}
	for _, f := range filters {
		if !slices.Contains(names, f.Name) {
			return unknownFilter(f.Name, names)
		}
		if len(f.Values) != 1 {
			return InvalidField("filters[0].values", "The filter takes exactly one value.")
		}
	}
	return nil
}

func unknownFilter(name string, names []string) error {
	return Errorf(CodeRequest, "The filter '%s' is not supported by this operation. Its filters are: %s.", name, strings.Join(names, ", "))
}

// CountFindings counts the scan findings of a namespace by the key that the
// filter names, of the values that it lists or of all; without a filter by
// account. There is no scanner, so an account, image or pipeline that exists
// has none, and nothing else has a row. Source: scanning-and-sbom.md §5.2.
func CountFindings(ctx context.Context, r RecordReader, scope Scope, filter *model.Filter) (key string, rows []model.ImageScanFindingAggregation, err error) {
	if filter == nil {
		filter = &model.Filter{Name: FilterAccountID}
	}
	if names := []string{FilterAccountID, FilterImage, FilterPipeline, FilterVulnerability}; !slices.Contains(names, filter.Name) {
		return "", nil, unknownFilter(filter.Name, names)
	}
	values := filter.Values
	if filter.Name == FilterAccountID && len(values) == 0 {
		values = []string{scope.Account}
	}
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			continue
		}
		exists, err := hasFindings(ctx, r, scope, filter.Name, v)
		if err != nil {
			return "", nil, err
		}
		if exists {
			rows = append(rows, noFindings(filter.Name, v))
		}
	}
	return filter.Name, rows, nil
}

// hasFindings reports whether findings are counted for a value of a key.
func hasFindings(ctx context.Context, r RecordReader, scope Scope, key, value string) (bool, error) {
	kind := map[string]Kind{FilterImage: KindImage, FilterPipeline: KindPipeline}[key]
	if kind == "" {
		return key == FilterAccountID && value == scope.Account, nil
	}
	arn, err := ParseARN(value)
	if err != nil || arn.Kind != kind || arn.Scope() != scope || !arn.IsExact() {
		return false, nil // no key of these findings: it matches nothing
	}
	_, err = r.Get(ctx, arn)
	if ErrorCode(err) == CodeNotFound {
		return false, nil
	}
	return err == nil, err
}

// noFindings is the row of a key value that has no findings.
func noFindings(key, value string) (row model.ImageScanFindingAggregation) {
	counts := &model.SeverityCounts{All: new(int64), Critical: new(int64), High: new(int64), Medium: new(int64)}
	switch key {
	case FilterAccountID:
		row.AccountAggregation = &model.AccountAggregation{AccountId: value, SeverityCounts: counts}
	case FilterImage:
		row.ImageAggregation = &model.ImageAggregation{ImageBuildVersionArn: value, SeverityCounts: counts}
	case FilterPipeline:
		row.ImagePipelineAggregation = &model.ImagePipelineAggregation{ImagePipelineArn: value, SeverityCounts: counts}
	}
	return row
}
