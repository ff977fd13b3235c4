package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud"
)

// readDocuments fills in the data of the documents. The error names all that
// cannot be read.
func readDocuments(ctx context.Context, client *cloud.Client, bucketOwner string, sources []toe.Source) error {
	var errs []error
	for i := range sources {
		source, err := toe.ReadDocument(ctx, client, sources[i].Path, bucketOwner)
		if err != nil {
			errs = append(errs, fmt.Errorf("document %s: %w", sources[i].Path, err))
		}
		sources[i].Path, sources[i].Data = source.Path, source.Data
	}
	return errors.Join(errs...)
}

// printFindings shows what is wrong with documents, for people, and reports
// whether any of them cannot be used.
func printFindings(w io.Writer, sources []toe.Source) (faulty bool, err error) {
	for _, s := range sources {
		_, findings := toe.Check(s.Data, toe.CheckOptions{Path: s.Path})
		faulty = faulty || findings.Err() != nil
		err = errors.Join(err, findings.Print(w, s.Path, s.Data))
	}
	return faulty, err
}
