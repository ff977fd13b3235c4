package cloud

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

const maxMetadata = 1 << 20 // bytes of one category; the service's own are far shorter

// Metadata is a text of the machine's metadata; name is relative to meta-data/
// and does not lead out of it.
func (c *Client) Metadata(ctx context.Context, name string) (string, error) {
	client, err := c.metadata(ctx)
	if err != nil {
		return "", err
	}
	out, err := client.GetMetadata(ctx, &imds.GetMetadataInput{Path: below(name)})
	if err != nil {
		return "", fmt.Errorf("reading instance metadata %s: %w", name, err)
	}
	defer out.Content.Close()
	text, err := io.ReadAll(io.LimitReader(out.Content, maxMetadata+1))
	if err == nil && len(text) > maxMetadata {
		err = fmt.Errorf("it has more than %d bytes", maxMetadata)
	}
	if err != nil {
		return "", fmt.Errorf("reading instance metadata %s: %w", name, err)
	}
	return string(text), nil
}

// below resolves the dots of a path, so that nothing is asked for but what was
// checked. The service would resolve them from where it is.
func below(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return path.Clean("/" + name)
}

// Identity is where the machine belongs.
type Identity struct {
	Account string
	Region  string
}

// Identity reads the machine's identity document.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	client, err := c.metadata(ctx)
	if err != nil {
		return Identity{}, err
	}
	out, err := client.GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		return Identity{}, fmt.Errorf("reading the instance identity document: %w", err)
	}
	return Identity{Account: out.AccountID, Region: out.Region}, nil
}

// metadata is a client of version 2 of the metadata service, with a token.
func (c *Client) metadata(ctx context.Context) (*imds.Client, error) {
	cfg, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	return newMetadata(cfg), nil
}

// newMetadata asks with a token only (IMDSv2).
func newMetadata(cfg aws.Config) *imds.Client {
	return imds.NewFromConfig(cfg, func(o *imds.Options) { o.EnableFallback = aws.FalseTernary })
}
