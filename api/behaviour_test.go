package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/api/sigv4"
	"ingot.dev/ingot/sqlite"
)

// TestConcurrentToken sends one token from many clients at once: one of them
// creates, the others get its answer.
func TestConcurrentToken(t *testing.T) {
	s := start(t)
	const clients = 8
	arns := make([]any, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			in := component("demo", "1.0.0", docBuild)
			in["clientToken"] = "one"
			arns[i] = s.call("PUT", "/CreateComponent", in).Body["componentBuildVersionArn"]
		})
	}
	wg.Wait()
	for i, arn := range arns {
		if arn != own+"component/demo/1.0.0/1" {
			t.Errorf("client %d got %v", i, arn)
		}
	}
}

// TestConcurrentBuilds creates different content under one version: every
// build has its own number.
func TestConcurrentBuilds(t *testing.T) {
	s := start(t)
	const clients = 8
	arns := make([]any, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			in := component("demo", "1.0.0", docBuild+fmt.Sprintf("# %d\n", i))
			arns[i] = s.call("PUT", "/CreateComponent", in).Body["componentBuildVersionArn"]
		})
	}
	wg.Wait()
	seen := map[any]bool{}
	for _, arn := range arns {
		seen[arn] = true
	}
	if len(seen) != clients {
		t.Errorf("%d different ARNs, want %d: %v", len(seen), clients, arns)
	}
}

// faulty is a store whose reads fail as told.
type faulty struct {
	*sqlite.DB
	fail func() error
}

func (f faulty) Resolve(context.Context, ingot.ARN, ...string) (ingot.Record, error) {
	return ingot.Record{}, f.fail()
}

// TestInternalErrors checks that the client learns nothing but the request id,
// and the log everything.
func TestInternalErrors(t *testing.T) {
	path := "/GetComponent?componentBuildVersionArn=" + own + "component/demo/1.0.0/1"
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("password hunter2 on /dev/sda") },
		"panic": func() error { panic("password hunter2 on /dev/sda") },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *api.Config) { c.Store = faulty{c.Store.(*sqlite.DB), fail} })
			a := s.call("GET", path, nil)
			id := a.Header.Get("X-Amzn-Requestid")
			if a.Status != 500 || a.exception() != "ServiceException" || strings.Contains(a.message(), "hunter2") || !strings.Contains(a.message(), id) {
				t.Errorf("answer = %d %s %s", a.Status, a.exception(), a.message())
			}
			if log := s.Log.String(); !strings.Contains(log, "/dev/sda") || !strings.Contains(log, id) {
				t.Errorf("the log lacks the cause or the request id %s: %s", id, log)
			}
		})
	}
	s := start(t, func(c *api.Config) {
		c.Store = faulty{c.Store.(*sqlite.DB), func() error { return ingot.Errorf(ingot.CodeUnavailable, "the store is busy") }}
	})
	s.refused(503, "ServiceUnavailableException", "GET", path, nil, "busy")
}

func TestReadyz(t *testing.T) {
	s := start(t, func(c *api.Config) { c.Ready = func(context.Context) error { return errors.New("no base image") } })
	if status, body := get(t, s.URL+"/readyz"); status != 503 || !strings.Contains(body, "no base image") {
		t.Errorf("GET /readyz = %d %s", status, body)
	}
}

func TestRegions(t *testing.T) {
	s := start(t, func(c *api.Config) { c.Regions = []string{"eu-west-1"} })
	s.refused(403, sigv4.Invalid, "POST", "/ListComponents", nil, "eu-west-1")
	d := start(t, func(c *api.Config) { c.Regions = []string{region} })
	d.refused(400, invalid, "PUT", "/CreateDistributionConfiguration", obj{"name": "bad", "distributions": []obj{
		{"region": "eu-west-1", "amiDistributionConfiguration": obj{}},
	}}, "eu-west-1")
}

// TestSkewedClock lets the vendor's client correct its clock by our Date header.
func TestSkewedClock(t *testing.T) {
	now := time.Now().Add(-time.Hour)
	s := start(t, clock(&now))
	a := s.call("POST", "/ListComponents", nil)
	if a.Status != 200 {
		t.Fatalf("ListComponents = %d %s", a.Status, a.message())
	}
	if got, err := http.ParseTime(a.Header.Get("Date")); err != nil || got.Sub(now).Abs() > time.Second {
		t.Errorf("Date = %s, want the server's clock %s", a.Header.Get("Date"), now)
	}
}

func BenchmarkGetComponent(b *testing.B) {
	s := start(b)
	arn := s.createComponent("demo", "1.0.0", docBuild)
	r, err := http.NewRequest("GET", s.URL+"/GetComponent?componentBuildVersionArn="+arn, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	s.sign(r, nil, secret, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

func BenchmarkCreateComponent(b *testing.B) {
	s := start(b)
	n := 0
	for b.Loop() {
		n++
		s.createComponent(fmt.Sprintf("c-%d", n%900), fmt.Sprintf("1.0.%d", n), docBuild)
	}
}
