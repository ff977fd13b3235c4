package toe

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/module"
)

// ReadDocument reads a document: a file, s3://bucket/key (owner: the account
// that must own the bucket; empty: any), or a component ARN, whose version may
// be incomplete; Source.Path is then the ARN of the component build.
func ReadDocument(ctx context.Context, client *cloud.Client, document, owner string) (Source, error) {
	if !cloud.IsRemote(document) {
		data, err := readFile(document)
		return Source{Path: document, Data: data}, err
	}
	data, name, err := client.Document(ctx, document, owner, maxDocument+1) // Check says what is wrong with more
	return Source{Path: name, Data: data}, err
}

func readFile(path string) ([]byte, error) {
	f, err := module.OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// SplitList reads a comma-separated list of names; white space around them and
// empty ones do not count.
func SplitList(s string) []string {
	var out []string
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}
