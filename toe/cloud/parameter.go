package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Parameter is an entry of the parameter store.
type Parameter struct {
	Value  string // of a list: its items with commas between them
	Secure bool   // must not be written anywhere
}

// Parameter reads a parameter, decrypted. A value of several lines is an error
// (§6.7).
func (c *Client) Parameter(ctx context.Context, name string) (Parameter, error) {
	cfg, err := c.regional(ctx, "SSM", "")
	if err != nil {
		return Parameter{}, err
	}
	client := ssm.NewFromConfig(cfg, func(o *ssm.Options) {
		if endpoint := c.endpoint("SSM"); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return Parameter{}, fmt.Errorf("reading parameter %s: %w", name, explain(err))
	}
	if out.Parameter == nil {
		return Parameter{}, fmt.Errorf("reading parameter %s: the parameter store answered without one", name)
	}
	p := Parameter{Value: aws.ToString(out.Parameter.Value), Secure: out.Parameter.Type == types.ParameterTypeSecureString}
	if strings.ContainsAny(p.Value, "\r\n") {
		return Parameter{}, fmt.Errorf("reading parameter %s: %w", name, errLines)
	}
	return p, nil
}

var errLines = errors.New("its value has more than one line")
