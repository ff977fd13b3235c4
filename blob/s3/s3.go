// Package s3 keeps objects in a server with the interface of S3. The buckets
// must exist.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"reflect"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/toe/cloud"
)

// Config says where the server is.
type Config struct {
	Endpoint    string `yaml:"endpoint" json:"endpoint"`       // URL; empty: there is no server
	Region      string `yaml:"region" json:"region"`           // that requests are signed for; empty: us-east-1
	Credentials string `yaml:"credentials" json:"credentials"` // a file in the form of the AWS CLI's, whose profile default holds the key
	// Documents are the buckets from which anybody who may make components,
	// workflows and container recipes can have their documents read. Empty: none.
	Documents []string `yaml:"documents" json:"documents,omitempty"`
}

// Check says what is wrong with a configuration, beginning with the member.
func (c Config) Check() error {
	if reflect.ValueOf(c).IsZero() {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("endpoint %q: must be a URL such as https://s3.example.org", c.Endpoint)
	}
	if _, err := os.Stat(c.Credentials); err != nil {
		return fmt.Errorf("credentials: must name a file in the form of ~/.aws/credentials: %w", err)
	}
	for _, bucket := range c.Documents {
		if err := (blob.Location{Bucket: bucket}).Check(); err != nil {
			return fmt.Errorf("documents: bucket %q: %w", bucket, err)
		}
	}
	return nil
}

// Store is a blob.Store.
type Store struct{ client *cloud.Client }

var _ blob.Store = Store{}

// New makes a store. Nothing is contacted before it is used.
func New(c Config) Store {
	variables := map[string]string{
		"AWS_ENDPOINT_URL_S3": c.Endpoint, "AWS_REGION": c.Region, "AWS_SHARED_CREDENTIALS_FILE": c.Credentials,
	}
	if c.Region == "" {
		variables["AWS_REGION"] = "us-east-1"
	}
	return Open(func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
}

// Open makes a store with the settings of the SDK from an environment.
func Open(lookup func(name string) (string, bool)) Store { return Store{cloud.New(lookup)} }

// Close ends the connections.
func (s Store) Close() { s.client.Close() }

func (s Store) bucket(at blob.Location) (*cloud.Bucket, error) {
	if err := at.Check(); err != nil {
		return nil, fmt.Errorf("object %s: %w", at, err)
	}
	return s.client.Bucket(at.Bucket, ""), nil
}

// Put implements blob.Store.
func (s Store) Put(ctx context.Context, at blob.Location, file *os.File) error {
	b, err := s.bucket(at)
	if err != nil {
		return err
	}
	return b.Upload(ctx, at.Key, file)
}

// Read implements blob.Store.
func (s Store) Read(ctx context.Context, at blob.Location, limit int64) ([]byte, error) {
	b, err := s.bucket(at)
	if err != nil {
		return nil, err
	}
	data, err := b.Read(ctx, at.Key, limit+1)
	var answer *awshttp.ResponseError
	switch {
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound:
		return nil, fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("reading %s: %w (%d bytes)", at, blob.ErrTooLarge, limit)
	}
	return data, nil
}

// List implements blob.Store.
func (s Store) List(ctx context.Context, at blob.Location, limit int) ([]blob.Object, error) {
	b, err := s.bucket(at)
	if err != nil {
		return nil, err
	}
	list, err := b.Objects(ctx, at.Key, limit)
	var out []blob.Object
	for _, o := range list {
		out = append(out, blob.Object(o))
	}
	return out, err
}
