package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// componentARN has the region as its first group. The version may have
// wildcards and lack the build number; the service answers with the latest.
var componentARN = regexp.MustCompile(`^arn:aws[a-z-]*:imagebuilder:([a-z0-9-]+):(?:[0-9]{12}|aws[a-z-]*):component/[A-Za-z0-9_-]+/[0-9x.]+(?:/[0-9x]+)?$`)

// IsRemote reports whether a document is not a file of this machine.
func IsRemote(document string) bool {
	return strings.HasPrefix(document, scheme) || IsComponent(document)
}

// IsComponent reports whether a document is named by the ARN of a component.
func IsComponent(document string) bool { return strings.HasPrefix(document, "arn:") }

// Document fetches the text of a document from s3://bucket/key, or of the
// component of an ARN. owner is who must own the bucket; empty: anyone. A text
// longer than limit is cut off there. The name is the document's own: the ARN
// of the component build where an ARN left the version open.
func (c *Client) Document(ctx context.Context, document, owner string, limit int64) (data []byte, name string, err error) {
	if strings.HasPrefix(document, "arn:") {
		return c.component(ctx, document)
	}
	l, err := ParseLocation(document)
	if err != nil {
		return nil, document, err
	}
	if l.Key == "" {
		return nil, document, fmt.Errorf("%s names a bucket; write s3://bucket/key", document)
	}
	data, err = c.Bucket(l.Bucket, owner).Read(ctx, l.Key, limit)
	return data, document, err
}

// component is the document of a component, and the ARN of its build.
func (c *Client) component(ctx context.Context, arn string) (data []byte, build string, err error) {
	m := componentARN.FindStringSubmatch(arn)
	if m == nil {
		return nil, arn, fmt.Errorf("'%s' is not the ARN of a component: write arn:aws:imagebuilder:REGION:ACCOUNT:component/NAME/VERSION", arn)
	}
	s, err := c.service(ctx, "imagebuilder", "IMAGEBUILDER", m[1])
	if err != nil {
		return nil, arn, err
	}
	if own := c.first("AWSTOE_IMAGEBUILDER_ENDPOINT"); own != "" {
		s.endpoint = own
	}
	var out struct {
		Component struct {
			ARN  string `json:"arn"`
			Data string `json:"data"`
		} `json:"component"`
	}
	target := "/GetComponent?" + url.Values{"componentBuildVersionArn": {arn}}.Encode()
	if err := s.call(ctx, http.MethodGet, target, nil, nil, &out); err != nil {
		return nil, arn, fmt.Errorf("reading component %s: %w", arn, explain(err))
	}
	if out.Component.Data == "" {
		return nil, arn, fmt.Errorf("reading component %s: %w", arn, errNoData)
	}
	return []byte(out.Component.Data), cmp.Or(out.Component.ARN, arn), nil
}

var errNoData = errors.New("the service does not give out its document")
