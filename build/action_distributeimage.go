package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ingot.dev/ingot/distribute"
	"ingot.dev/ingot/model"
)

// The actions of distribution take their entries from an input, or else from
// the image's distribution configuration, and hand on the rows of destinations.

// distributeImage copies the image to its destinations. It fails when one of
// them has, after all have ended. Source: workflows.md §7.16.
func (w *work) distributeImage(ctx context.Context) (map[string]any, error) {
	source, err := w.ownAMI(ctx)
	if err != nil {
		return nil, err
	}
	list, err := w.entries("distributions", func(data []byte, d *model.Distribution) error {
		d.AmiDistributionConfiguration = new(model.AmiDistributionConfiguration)
		return json.Unmarshal(data, d.AmiDistributionConfiguration)
	})
	if err != nil {
		return nil, err
	}
	rows, err := w.copyTo(ctx, source, list)
	if err != nil {
		return nil, err
	}
	if err := w.list(ctx, model.ImageStatusDistributing, rows); err != nil {
		return nil, err
	}
	return w.handOn("distributedImages", rows)
}

// modifyImageAttributes lets others use the delivered AMIs. Source: workflows.md §7.17.
func (w *work) modifyImageAttributes(ctx context.Context) (map[string]any, error) {
	list, err := w.entries("attributes", func(data []byte, d *model.Distribution) error {
		d.AmiDistributionConfiguration = new(model.AmiDistributionConfiguration)
		return json.Unmarshal(data, d.AmiDistributionConfiguration)
	})
	if err != nil {
		return nil, err
	}
	rows, err := w.delivered()
	if err != nil {
		return nil, err
	}
	return w.handOn("modifiedImages", w.distributor().Permit(ctx, rows, list))
}

// applyImageConfigurations integrates the delivered AMIs. Source: workflows.md §7.18.
func (w *work) applyImageConfigurations(ctx context.Context) (map[string]any, error) {
	list, err := w.entries("configurations", configuration)
	if err != nil {
		return nil, err
	}
	rows, err := w.delivered()
	if err != nil {
		return nil, err
	}
	if _, err := w.advance(ctx, w.image, model.ImageStatusIntegrating, nil); err != nil {
		return nil, err
	}
	return w.handOn("configuredImages", w.distributor().Configure(ctx, w.image.Account, rows, list))
}

// configuration reads an entry of the input configurations. Two of its members
// may be a mapping or a list.
func configuration(data []byte, d *model.Distribution) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	var exports oneOrMore[model.S3ExportConfiguration]
	var parameters oneOrMore[model.SsmParameterConfiguration]
	for name, into := range map[string]any{"s3ExportConfiguration": &exports, "ssmParameterConfigurations": &parameters} {
		if member, ok := members[name]; ok {
			if err := json.Unmarshal(member, into); err != nil {
				return err
			}
			delete(members, name)
		}
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(rest, d); err != nil {
		return err
	}
	if len(exports) > 1 {
		return errors.New("s3ExportConfiguration has more than one entry for a region")
	}
	for i := range exports {
		d.S3ExportConfiguration = &exports[i]
	}
	d.SsmParameterConfigurations = parameters
	return nil
}

// oneOrMore is a list that may be written as its only element.
type oneOrMore[T any] []T

func (l *oneOrMore[T]) UnmarshalJSON(data []byte) error {
	var one T
	if json.Unmarshal(data, &one) == nil {
		*l = oneOrMore[T]{one}
		return nil
	}
	return json.Unmarshal(data, (*[]T)(l))
}

// entries are those of an input, which read turns into entries of a
// distribution configuration, or else those of the image's configuration.
func (w *work) entries(input string, read func([]byte, *model.Distribution) error) ([]model.Distribution, error) {
	given, ok := w.Step.Inputs[input].([]any)
	if !ok {
		return w.Plan.Distributions, nil
	}
	list := make([]model.Distribution, len(given))
	for i, entry := range given {
		data, err := json.Marshal(entry)
		if err != nil {
			return nil, err
		}
		if err := read(data, &list[i]); err != nil {
			return nil, fmt.Errorf("reading %s[%d]: %w", input, i, err)
		}
		list[i].Region, _ = entry.(map[string]any)["region"].(string)
	}
	return list, nil
}

// delivered are the rows that an earlier step has handed on.
func (w *work) delivered() ([]distribute.Row, error) {
	data, err := json.Marshal(w.Step.Inputs["distributedImages"])
	if err != nil {
		return nil, err
	}
	var rows []distribute.Row
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, fmt.Errorf("reading distributedImages: %w", err)
	}
	return rows, nil
}

// handOn makes rows the output of a step, which fails when one of them has.
func (w *work) handOn(output string, rows []distribute.Row) (map[string]any, error) {
	data, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	var list []any
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	if f := distribute.Failure(rows); f != nil {
		return nil, &undeliveredError{f}
	}
	return map[string]any{output: list}, nil
}

// undeliveredError is the failure of some destinations.
type undeliveredError struct{ failure *model.DistributionFailure }

func (e *undeliveredError) Error() string { return e.failure.ErrorMessage }
