package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/smithy-go"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
)

// movingClock is a time that tests move.
type movingClock struct {
	mu sync.Mutex
	t  time.Time
}

// newClock begins at the real time: the vendor's client signs with no other.
func newClock() *movingClock { return &movingClock{t: time.Now()} }

func (c *movingClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *movingClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// slow lets two requests through at once and one every four seconds.
var slow = api.Throttle{Rate: api.Rate{Rate: 0.25, Burst: 2}}

func throttledBy(t api.Throttle, clock *movingClock) func(*api.Config) {
	return func(c *api.Config) { c.Throttle, c.Now = t, clock.now }
}

func TestThrottle(t *testing.T) {
	clock := newClock()
	s := start(t, throttledBy(slow, clock))
	list := func() answer { return s.call("POST", "/ListComponents", `{}`) }
	for i := range 2 {
		if a := list(); a.Status != http.StatusOK {
			t.Fatalf("request %d of the burst: %d %s", i+1, a.Status, a.message())
		}
	}
	a := list()
	if a.Status != http.StatusTooManyRequests || a.exception() != "CallRateLimitExceededException" || a.Header.Get("Retry-After") != "4" {
		t.Errorf("request after the burst: %d %s, Retry-After %q; want 429 CallRateLimitExceededException, 4", a.Status, a.exception(), a.Header.Get("Retry-After"))
	}
	clock.add(4*time.Second - time.Millisecond)
	if a := list(); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "1" {
		t.Errorf("a millisecond early: %d, Retry-After %q; want 429, 1", a.Status, a.Header.Get("Retry-After"))
	}
	clock.add(time.Millisecond)
	if a := list(); a.Status != http.StatusOK {
		t.Errorf("when it may: %d %s", a.Status, a.message())
	}
	if a := s.call("POST", "/ListImages", `{}`); a.Status != http.StatusOK {
		t.Errorf("another operation: %d %s", a.Status, a.message())
	}
}

// TestThrottleOfOperation: DistributeImage has an exception of its own.
func TestThrottleOfOperation(t *testing.T) {
	s := start(t, throttledBy(api.Throttle{Operations: map[string]api.Rate{"DistributeImage": {Rate: 0.25, Burst: 1}}}, newClock()))
	s.call("PUT", "/DistributeImage", `{}`)
	if a := s.call("PUT", "/DistributeImage", `{}`); a.Status != http.StatusTooManyRequests || a.exception() != "TooManyRequestsException" {
		t.Errorf("second DistributeImage: %d %s, want 429 TooManyRequestsException", a.Status, a.exception())
	}
	for range 10 {
		if a := s.call("POST", "/ListComponents", `{}`); a.Status != http.StatusOK {
			t.Fatalf("an operation without a rate: %d %s", a.Status, a.message())
		}
	}
}

// TestThrottleOfAccount: an account has its own bucket, and only whoever signs
// with a key of the account takes from it.
func TestThrottleOfAccount(t *testing.T) {
	const otherAccount, otherKey = "444455556666", "AKIDOTHER"
	clock := newClock()
	s := start(t, throttledBy(slow, clock))
	s.putAdministrator(otherAccount, otherKey)
	for range 10 {
		r, err := http.NewRequest("POST", s.URL+"/ListComponents", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.sign(r, nil, "not the secret", clock.now())
		if a := s.send(r); a.exception() != "InvalidSignatureException" {
			t.Fatalf("forged request: %d %s, want InvalidSignatureException", a.Status, a.exception())
		}
	}
	for range 2 {
		if a := s.call("POST", "/ListComponents", `{}`); a.Status != http.StatusOK {
			t.Fatalf("the account's own request after forged ones: %d %s", a.Status, a.message())
		}
	}
	if a := s.call("POST", "/ListComponents", `{}`); a.Status != http.StatusTooManyRequests {
		t.Errorf("third request of the account: %d, want 429", a.Status)
	}
	other := imagebuilder.New(imagebuilder.Options{
		Region: region, BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(otherKey, secret, ""),
	})
	if _, err := other.ListComponents(t.Context(), &imagebuilder.ListComponentsInput{}); err != nil {
		t.Errorf("another account: %v", err)
	}
}

// TestThrottleThroughSDK shows which refusals the vendor's client repeats by
// itself: those of DistributeImage and of a server that has too much to do.
func TestThrottleThroughSDK(t *testing.T) {
	clock := newClock()
	s := start(t, throttledBy(api.Throttle{Rate: api.Rate{Rate: 1, Burst: 1}}, clock))
	var sent atomic.Int32
	later := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent.Add(1) > 2 { // the burst and its refusal are over
			clock.add(time.Second)
		}
		s.handler.ServeHTTP(w, r)
	}))
	defer later.Close()
	client := imagebuilder.New(imagebuilder.Options{
		Region: region, BaseEndpoint: aws.String(later.URL),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
	for _, test := range []struct {
		name string
		call func() error
		want string // code of the second call
		sent int32  // requests of both calls
	}{
		{"ListComponents", func() error {
			_, err := client.ListComponents(t.Context(), &imagebuilder.ListComponentsInput{})
			return err
		}, "CallRateLimitExceededException", 2},
		{"DistributeImage", func() error {
			_, err := client.DistributeImage(t.Context(), &imagebuilder.DistributeImageInput{
				SourceImage: aws.String(own + "image/none/1.0.0/1"), DistributionConfigurationArn: aws.String(own + "distribution-configuration/none"),
				ExecutionRole: aws.String("role"), ClientToken: aws.String("one"),
			})
			return err
		}, "ResourceNotFoundException", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent.Store(0)
			_ = test.call() // takes the token; its answer is not the point
			err := test.call()
			var e smithy.APIError
			if !errors.As(err, &e) || e.ErrorCode() != test.want {
				t.Errorf("second call: %v, want %s", err, test.want)
			}
			if n := sent.Load(); n != test.sent {
				t.Errorf("%d requests were sent, want %d", n, test.sent)
			}
		})
	}
}

// gatedStore holds up the first lookup of a key.
type gatedStore struct {
	ingot.Store
	first            sync.Once
	entered, release chan struct{}
}

func (s *gatedStore) AccessKey(ctx context.Context, id string) (ingot.AccessKey, error) {
	s.first.Do(func() {
		close(s.entered)
		<-s.release
	})
	return s.Store.AccessKey(ctx, id)
}

// TestAtOnce fills the only slot: the next request is told to come again, and
// the vendor's client does.
func TestAtOnce(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, func(c *api.Config) {
		c.AtOnce = 1
		c.Store = &gatedStore{Store: c.Store, entered: entered, release: release}
	})
	done := make(chan answer)
	go func() { done <- s.call("POST", "/ListComponents", `{}`) }()
	<-entered
	a := s.call("POST", "/ListComponents", `{}`)
	if a.Status != http.StatusServiceUnavailable || a.exception() != "ServiceUnavailableException" || a.Header.Get("Retry-After") != "1" {
		t.Errorf("second request: %d %s, Retry-After %q; want 503 ServiceUnavailableException, 1", a.Status, a.exception(), a.Header.Get("Retry-After"))
	}
	client := imagebuilder.New(imagebuilder.Options{
		Region: region, BaseEndpoint: aws.String(s.URL),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				close(release)
				<-done
				return 0, nil
			})
		}),
	})
	if _, err := client.ListComponents(t.Context(), &imagebuilder.ListComponentsInput{}); err != nil {
		t.Errorf("the vendor's client: %v", err)
	}
}

func TestThrottleCheck(t *testing.T) {
	for name, bad := range map[string]api.Throttle{
		"negative rate": {Rate: api.Rate{Rate: -1}},
		"no burst":      {Rate: api.Rate{Rate: 1}},
		"no operation":  {Operations: map[string]api.Rate{"ListComponent": {Rate: 1, Burst: 1}}},
		"operation":     {Operations: map[string]api.Rate{"ListComponents": {Rate: 1}}},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (api.Throttle{Operations: map[string]api.Rate{"ListComponents": {}}}).Check(); err != nil {
		t.Errorf("an operation without a bound: %v", err)
	}
}
