package cloud

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// service is one whose client of the SDK is too large for the two operations
// that the executor needs: the agent goes into every image build. The SDK
// still signs the requests and decides what to repeat.
type service struct {
	cfg      aws.Config
	name     string // as signatures and host names have it
	endpoint string
}

// service makes requests to a service; an empty region stands for the
// machine's. variable is its name in AWS_ENDPOINT_URL_….
func (c *Client) service(ctx context.Context, name, variable, region string) (*service, error) {
	cfg, err := c.regional(ctx, variable, region)
	if err != nil {
		return nil, err
	}
	own := "https://" + name + "." + cfg.Region + "." + domain(cfg.Region)
	return &service{cfg, name, cmp.Or(c.endpoint(variable), aws.ToString(cfg.BaseEndpoint), own)}, nil
}

// domain is where the services of a region are.
func domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// maxAnswer is the most that is read of an answer: no document is longer than
// 1 MiB (§14), and JSON may write a character in six bytes.
const maxAnswer = 8 << 20

// call makes a request until it succeeds or repeating is pointless, and
// decodes the answer into out. header may be nil.
func (s *service) call(ctx context.Context, method, target string, header http.Header, body []byte, out any) error {
	policy := retry.NewStandard()
	for attempt := 1; ; attempt++ {
		err := s.try(ctx, method, target, header, body, out)
		if err == nil || ctx.Err() != nil || attempt >= policy.MaxAttempts() || !policy.IsErrorRetryable(err) {
			return err
		}
		delay, delayErr := policy.RetryDelay(attempt, err)
		if delayErr != nil {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *service) try(ctx context.Context, method, target string, header http.Header, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.endpoint, "/")+target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for key, values := range header {
		req.Header[key] = values
	}
	credentials, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(digest[:]), s.name, s.cfg.Region, time.Now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	resp, err := s.cfg.HTTPClient.Do(req)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err} // which the retry policy knows
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	if len(answer) > maxAnswer {
		return fmt.Errorf("the answer of %s has more than %d bytes", s.endpoint, maxAnswer)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decoding the answer of %s: %w", s.endpoint, err)
	}
	return nil
}

// refusal is the error that an answer tells, in the form the SDK gives it.
func refusal(resp *http.Response, answer []byte) error {
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // also written Message
	}
	_ = json.Unmarshal(answer, &body) // an answer of a proxy is no JSON: its status says enough
	code := resp.Header.Get("X-Amzn-Errortype")
	if code == "" {
		code = body.Type
	}
	code, _, _ = strings.Cut(code, ":")          // name:address of a description
	code = code[strings.LastIndex(code, "#")+1:] // namespace#name
	if code == "" {
		code = resp.Status
	}
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: resp},
		Err:      &smithy.GenericAPIError{Code: code, Message: body.Message},
	}}
}
