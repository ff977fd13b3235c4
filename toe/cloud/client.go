// Package cloud reaches the AWS services that component documents name: S3,
// the parameter store, instance metadata, components of the image building
// service, and log streams.
//
// It uses the SDK's default chain of credentials and the SDK's settings, so
// that any service with the same interface will do: AWS_REGION,
// AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 and the like say where. Nothing is
// contacted before the first call that needs it.
package cloud

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// Client is the way to all services. It is safe for concurrent use.
type Client struct {
	lookup func(name string) (string, bool)

	mu     sync.Mutex
	config *aws.Config // nil before the first use
}

// New makes a client that takes its settings from an environment, and from
// the files of the AWS CLI.
func New(lookup func(name string) (string, bool)) *Client { return &Client{lookup: lookup} }

// settings are the SDK's settings without a region, if none is configured.
func (c *Client) settings(ctx context.Context) (aws.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config == nil {
		loaded, err := config.LoadDefaultConfig(ctx, c.environment())
		if err != nil {
			return aws.Config{}, fmt.Errorf("loading AWS settings: %w", err)
		}
		if b, ok := loaded.HTTPClient.(*awshttp.BuildableClient); ok {
			loaded.HTTPClient = b.WithReadTimeout(silence).Freeze() // else every service gets connections of its own
		}
		c.config = &loaded
	}
	return c.config.Copy(), nil
}

// silence is how long a connection may deliver nothing.
const silence = time.Minute

// Close ends the connections. The client can be used again.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config == nil {
		return
	}
	if idler, ok := c.config.HTTPClient.(interface{ CloseIdleConnections() }); ok {
		idler.CloseIdleConnections()
	}
}

// environment hands the SDK what the environment of the run says, which may be
// more than that of the process: after a reboot, for one.
func (c *Client) environment() config.LoadOptionsFunc {
	return func(o *config.LoadOptions) error {
		o.Logger = logging.Nop{} // standard error belongs to the command
		o.SharedConfigFiles = c.settingsFile("AWS_CONFIG_FILE", "config")
		o.SharedCredentialsFiles = c.settingsFile("AWS_SHARED_CREDENTIALS_FILE", "credentials")
		if profile := c.first("AWS_PROFILE"); profile != os.Getenv("AWS_PROFILE") {
			o.SharedConfigProfile = profile // which the SDK puts before all other credentials
		}
		o.Region = c.first("AWS_REGION", "AWS_DEFAULT_REGION")
		o.BaseEndpoint = c.first("AWS_ENDPOINT_URL")
		o.EC2IMDSEndpoint = c.first("AWS_EC2_METADATA_SERVICE_ENDPOINT")
		key, secret := c.first("AWS_ACCESS_KEY_ID"), c.first("AWS_SECRET_ACCESS_KEY")
		if key != "" && secret != "" {
			o.Credentials = credentials.NewStaticCredentialsProvider(key, secret, c.first("AWS_SESSION_TOKEN"))
		}
		return nil
	}
}

// settingsFile is a file of the AWS CLI; nil leaves it to the SDK.
func (c *Client) settingsFile(variable, name string) []string {
	home := "HOME"
	if runtime.GOOS == "windows" {
		home = "USERPROFILE"
	}
	if file := c.first(variable); file != "" {
		return []string{file}
	}
	if dir := c.first(home); dir != "" {
		return []string{filepath.Join(dir, ".aws", name)}
	}
	return nil
}

// first is the first variable that is not empty.
func (c *Client) first(names ...string) string {
	for _, name := range names {
		if v, _ := c.lookup(name); v != "" {
			return v
		}
	}
	return ""
}

// anyRegion signs requests to an endpoint of the user's own when nothing names
// a region: such services rarely have more than one.
const anyRegion = "us-east-1"

// regional are the settings for a service with an endpoint in every region. An
// empty region stands for the machine's.
func (c *Client) regional(ctx context.Context, service, region string) (aws.Config, error) {
	cfg, err := c.settings(ctx)
	if err != nil {
		return cfg, err
	}
	if region != "" {
		cfg.Region = region
	}
	if cfg.Region == "" {
		if cfg.Region, err = c.machineRegion(ctx, cfg, service); err != nil {
			return cfg, err
		}
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, fmt.Errorf("finding AWS credentials (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role): %w", err)
	}
	return cfg, nil
}

// machineRegion is the region when no setting names one.
func (c *Client) machineRegion(ctx context.Context, cfg aws.Config, service string) (string, error) {
	if c.endpoint(service) != "" || cfg.BaseEndpoint != nil {
		return anyRegion, nil
	}
	out, err := newMetadata(cfg).GetRegion(ctx, nil)
	if err != nil {
		return "", fmt.Errorf("finding the AWS region (set AWS_REGION): %w", err)
	}
	return out.Region, nil
}

// endpoint is the URL that stands for a service, as far as a variable of its
// own says so. service is written as in AWS_ENDPOINT_URL_S3.
func (c *Client) endpoint(service string) string { return c.first("AWS_ENDPOINT_URL_" + service) }
