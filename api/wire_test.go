package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"
)

func TestSignatureOfTheFuture(t *testing.T) {
	badSignature(t, secret, 10*time.Minute, "Signature not yet current")
}

func TestMalformedBody(t *testing.T) {
	s := start(t)
	for _, body := range []string{
		`{`, `[]`, `null`, `"x"`, `{} {}`, "{\"name\":\"\xff\"}", `{"name":1}`, `{"tags":[]}`, `{"tags":{"a":1}}`,
		`{"supportedOsVersions":{}}`, `{"supportedOsVersions":[null]}`, `{"dryRun":"true"}`,
	} {
		s.refused(400, "SerializationException", "PUT", "/CreateComponent", body)
	}
	for _, body := range []string{`{"maxResults":1.5}`, `{"maxResults":"1"}`, `{"maxResults":1e1}`} {
		s.refused(400, "SerializationException", "POST", "/ListComponents", body, "maxResults")
	}
	big := `{"description":"` + strings.Repeat("x", 1<<20) + `"}`
	s.refused(413, "RequestEntityTooLargeException", "PUT", "/CreateComponent", big)
}

func TestUnknownOperation(t *testing.T) {
	s := start(t)
	for _, c := range [][2]string{
		{"POST", "/NoSuchOperation"},
		{"GET", "/ListComponents"},
		{"POST", "/ListComponents/"},
		{"POST", "/listComponents"},
		{"PUT", "/tags/x"},
		{"POST", "//ListComponents"},
		{"POST", "/healthz"},
	} {
		s.refused(404, "UnknownOperationException", c[0], c[1], nil)
	}
}

func TestLimits(t *testing.T) {
	s := start(t)
	component := func(change obj) obj {
		in := obj{"name": "demo", "semanticVersion": "1.0.0", "platform": "Linux", "data": docBuild}
		for k, v := range change {
			if in[k] = v; v == nil {
				delete(in, k)
			}
		}
		return in
	}
	tags := obj{}
	for i := range 51 {
		tags[fmt.Sprint("key", i)] = "v"
	}
	const invalid, missing = "InvalidParameterValueException", "InvalidParameterException"
	for name, c := range map[string]struct {
		exception string
		change    obj
		part      string
	}{
		"missing":       {missing, obj{"name": nil}, "'name'"},
		"null":          {missing, obj{"platform": nil}, "'platform'"},
		"short":         {invalid, obj{"name": "ab"}, "The value supplied for parameter 'name' is not valid."},
		"blank at end":  {invalid, obj{"name": "abc "}, "'name'"},
		"enum":          {invalid, obj{"platform": "linux"}, "Windows, Linux, macOS"},
		"empty":         {invalid, obj{"description": ""}, "'description'"},
		"long":          {invalid, obj{"data": strings.Repeat("é", 16001)}, "16001 characters"},
		"empty list":    {invalid, obj{"supportedOsVersions": []string{}}, "'supportedOsVersions'"},
		"empty element": {invalid, obj{"supportedOsVersions": []string{"a", ""}}, "'supportedOsVersions[1]'"},
		"51 tags":       {invalid, obj{"tags": tags}, "51 entries"},
		"aws tag":       {invalid, obj{"tags": obj{"aws:x": ""}}, "aws:x"},
		"AWS tag":       {invalid, obj{"tags": obj{"AWS:x": ""}}, "AWS:x"},
		"zero byte":     {invalid, obj{"data": "a\x00b"}, "'data'"},
		"version":       {"InvalidVersionNumberException", obj{"semanticVersion": "1.0"}, "1.0"},
		"version node":  {"InvalidVersionNumberException", obj{"semanticVersion": "1.0.1073741824"}, ""},
		"wildcard":      {"InvalidVersionNumberException", obj{"semanticVersion": "1.x.x"}, ""},
		"case of names": {missing, obj{"name": nil, "Name": "demo"}, "'name'"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.refused(400, c.exception, "PUT", "/CreateComponent", component(c.change), c.part)
		})
	}
	s.t = t
	s.refused(400, invalid, "POST", "/ListComponents", obj{"maxResults": 26}, "maxResults")
	s.refused(400, invalid, "POST", "/ListComponents", obj{"maxResults": 0}, "maxResults")
	s.refused(400, invalid, "POST", "/ListComponents", `{"maxResults":99999999999999999999}`, "maxResults")
	filter := func(name, value string) obj { return obj{"filters": []obj{{"name": name, "values": []string{value}}}} }
	s.refused(400, invalid, "POST", "/ListComponents", filter("name", strings.Repeat("a", 1025)), "filters[0].values[0]")
	s.refused(400, "InvalidRequestException", "POST", "/ListComponents", filter("Name", "a"), "'Name'")
}

func TestUnknownAndNullMembers(t *testing.T) {
	s := start(t)
	s.must("PUT", "/CreateComponent", obj{
		"name": "demo", "semanticVersion": "1.0.0", "platform": "Linux", "data": docBuild,
		"description": nil, "tags": obj{}, "somethingNew": obj{"a": 1},
	})
	got := s.must("GET", "/GetComponent?componentBuildVersionArn="+own+"component/demo/1.0.0/1", nil)
	component := got["component"].(map[string]any)
	if _, has := component["description"]; has {
		t.Error("a null description came back")
	}
	if tags, ok := component["tags"].(map[string]any); !ok || len(tags) != 0 {
		t.Errorf("tags = %v, want {}", component["tags"])
	}
}

func TestPageTokenIsBound(t *testing.T) {
	now := time.Now()
	s := start(t, clock(&now))
	for i := range 3 {
		s.must("PUT", "/CreateComponent", obj{"name": fmt.Sprintf("c-%02d", i), "semanticVersion": "1.0.0", "platform": "Linux", "data": docBuild})
	}
	token, _ := s.must("POST", "/ListComponents", obj{"maxResults": 1})["nextToken"].(string)
	if token == "" {
		t.Fatal("no token")
	}
	const unusable = "InvalidPaginationTokenException"
	s.must("POST", "/ListComponents", obj{"maxResults": 2, "nextToken": token})
	s.refused(400, unusable, "POST", "/ListComponents", obj{"nextToken": token, "byName": true})
	s.refused(400, unusable, "POST", "/ListComponentBuildVersions", obj{"nextToken": token})
	s.refused(400, unusable, "POST", "/ListComponents", obj{"nextToken": token[:len(token)-2] + "AA"})
	s.refused(400, unusable, "POST", "/ListComponents", obj{"nextToken": "x"})
	now = now.Add(24*time.Hour + 2*time.Second)
	s.refused(400, unusable, "POST", "/ListComponents", obj{"nextToken": token}, "24 hours")
}

func TestOwnEndpoints(t *testing.T) {
	s := start(t)
	s.call("POST", "/ListComponents", nil)
	for path, part := range map[string]string{
		"/healthz": "ok", "/readyz": "ready", "/metrics": `ingot_api_requests_total{operation="ListComponents",status="200"} 1`,
	} {
		status, body := get(t, s.URL+path)
		if status != 200 || !strings.Contains(body, part) {
			t.Errorf("GET %s = %d %s", path, status, body)
		}
	}
}

// TestMetricsAreLocal: strangers learn nothing of what the server counts, nor
// does whoever comes through a proxy on this machine.
func TestMetricsAreLocal(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		remote string
		header string
		want   int
	}{
		"this machine":       {"127.0.0.1:4000", "", 200},
		"this machine, IPv6": {"[::1]:4000", "", 200},
		"mapped":             {"[::ffff:127.0.0.1]:4000", "", 200},
		"another machine":    {"192.0.2.1:4000", "", 403},
		"through a proxy":    {"127.0.0.1:4000", "X-Forwarded-For", 403},
		"no address":         {"@", "", 403},
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr = c.remote
		if c.header != "" {
			r.Header.Set(c.header, "192.0.2.1")
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: GET /metrics = %d, want %d", name, w.Code, c.want)
		}
	}
}

func TestAccessLog(t *testing.T) {
	s := start(t)
	a := s.call("PUT", "/CreateComponent", obj{"data": "password: hunter2", "uri": secret})
	line := s.Log.String()
	for _, part := range []string{a.Header.Get("X-Amzn-Requestid"), `"operation":"CreateComponent"`, `"status":400`, account} {
		if !strings.Contains(line, part) {
			t.Errorf("the log %s lacks %s", line, part)
		}
	}
	if strings.Contains(line, "hunter2") || strings.Contains(line, secret) {
		t.Errorf("the log tells a secret: %s", line)
	}
}

func TestSDKRoundTrip(t *testing.T) {
	s := start(t)
	ctx, c := context.Background(), s.client()
	created, err := c.CreateComponent(ctx, &imagebuilder.CreateComponentInput{
		Name: aws.String("My_Test Comp"), SemanticVersion: aws.String("1.0.0"), Platform: types.PlatformLinux,
		Data: aws.String(docBuild), Tags: map[string]string{"a": "b"}, SupportedOsVersions: []string{"Debian 12"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *created.ComponentBuildVersionArn, own+"component/my-test-comp/1.0.0/1"; got != want {
		t.Errorf("ARN = %s, want %s", got, want)
	}
	if aws.ToString(created.ClientToken) == "" || aws.ToString(created.RequestId) == "" {
		t.Error("the response echoes no client token or request id")
	}
	got, err := c.GetComponent(ctx, &imagebuilder.GetComponentInput{ComponentBuildVersionArn: created.ComponentBuildVersionArn})
	if err != nil {
		t.Fatal(err)
	}
	if k := got.Component; *k.Name != "My_Test Comp" || k.Type != types.ComponentTypeBuild || !*k.Encrypted || k.State.Status != types.ComponentStatusActive || k.Tags["a"] != "b" {
		t.Errorf("component = %+v", k)
	}
	if created, err := time.Parse("2006-01-02T15:04:05.000Z", *got.Component.DateCreated); err != nil || time.Since(created) > time.Minute {
		t.Errorf("dateCreated = %s, %v", *got.Component.DateCreated, err)
	}
}
