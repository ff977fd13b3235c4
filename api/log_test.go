package api_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/logs"
)

const webLog = own + "image/web/1.0.0/1"

// withLogs is a server with the log of an image and one of a pipeline.
func withLogs(t *testing.T) (*server, *logs.Store) {
	t.Helper()
	dir := t.TempDir()
	store := &logs.Store{
		Dir:   filepath.Join(dir, "logs"),
		Image: func(a ingot.ARN) string { return filepath.Join(dir, "builds", a.Name, "log") },
	}
	s := start(t, func(c *api.Config) { c.Logs = store; c.Regions = []string{region} })
	s.putPending(t, "web")
	arn, err := ingot.ParseARN(webLog)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(store.Image(arn)), 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"time":"2026-01-01T00:00:00Z","line":"a"}` + "\n" + `{"time":"2026-01-02T00:00:00Z","line":"b","end":"AVAILABLE"}` + "\n"
	if err := os.WriteFile(store.Image(arn), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	scope := ingot.Scope{Account: account, Region: region}
	for _, err := range []error{
		store.Name(arn, ingot.LogStream{Scope: scope, Group: "/aws/imagebuilder/web", Name: "1.0.0/1"}),
		store.Append(ingot.LogStream{Scope: scope, Group: "/aws/imagebuilder/pipeline/nightly", Name: "2026/01/01"}, []string{`{"n":1}`}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, store
}

func (s *server) putPending(t *testing.T, name string) {
	t.Helper()
	arn, err := ingot.ParseARN(own + "image/" + name + "/1.0.0/1")
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(obj{"arn": arn.String(), "name": name})
	if err != nil {
		t.Fatal(err)
	}
	s.put(ingot.Record{ARN: arn, Name: name, Status: "PENDING", Created: s.now(), Updated: s.now(), Document: document})
}

// events reads a log until it ends.
func (s *server) events(t *testing.T, query url.Values, last string) (text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/logs/events?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	s.sign(r, nil, s.credentials.SecretAccessKey, s.now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("following %v: %s", query, resp.Status)
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		text += lines.Text() + "\n"
	}
	return text
}

func TestLogs(t *testing.T) {
	s, _ := withLogs(t)
	if diff := cmp.Diff(obj{"more": false, "groups": []any{
		obj{"group": "/aws/imagebuilder/pipeline/nightly", "streams": 1.0}, obj{"group": "/aws/imagebuilder/web", "streams": 1.0},
	}}, s.must("GET", "/logs/groups", nil)); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got := s.must("GET", "/logs/groups?after=/aws/imagebuilder/pipeline/nightly&prefix=/aws", nil); len(got["groups"].([]any)) != 1 {
		t.Errorf("the next groups are %v", got)
	}
	if got := s.must("GET", "/logs/streams?group=/aws/imagebuilder/web", nil); dig(got, "streams", 0, "stream") != "1.0.0/1" || dig(got, "streams", 0, "bytes") != 104.0 {
		t.Errorf("the streams are %v", got)
	}
	const end = "id: 104\nevent: end\ndata: {\"status\":\"AVAILABLE\"}\n\n"
	const first, second = "id: 43\ndata: {\"time\":\"2026-01-01T00:00:00Z\",\"line\":\"a\"}\n\n", "id: 104\ndata: {\"time\":\"2026-01-02T00:00:00Z\",\"line\":\"b\",\"end\":\"AVAILABLE\"}\n\n"
	stream := url.Values{"group": {"/aws/imagebuilder/web"}, "stream": {"1.0.0/1"}}
	for name, test := range map[string]struct {
		query url.Values
		last  string
		want  string
	}{
		"a stream":           {stream, "", first + second + end},
		"an image":           {url.Values{"image": {webLog}}, "", first + second + end},
		"after an event":     {stream, "43", second + end},
		"from an offset":     {url.Values{"image": {webLog}, "offset": {"43"}}, "", second + end},
		"after another":      {url.Values{"image": {webLog}, "offset": {"0"}}, "104", end},
		"since a time":       {url.Values{"image": {webLog}, "since": {"2026-01-01T12:00:00Z"}}, "", second + end},
		"an offset and time": {url.Values{"image": {webLog}, "offset": {"43"}, "since": {"2027-01-01T12:00:00Z"}}, "", end},
	} {
		if diff := cmp.Diff("retry: 1000\n\n"+test.want, s.events(t, test.query, test.last)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if metrics := s.Log.String(); !strings.Contains(metrics, `"operation":"FollowLog"`) {
		t.Error("the server's log does not have the requests")
	}
}

// TestLogOfWaitingImage: whoever follows an image that has not begun gets its
// log from the beginning.
func TestLogOfWaitingImage(t *testing.T) {
	s, store := withLogs(t)
	s.putPending(t, "later")
	arn, err := ingot.ParseARN(own + "image/later/1.0.0/1")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() { got <- s.events(t, url.Values{"image": {arn.String()}}, "") }()
	for !strings.Contains(s.Log.String(), "FollowLog") {
		<-time.After(time.Millisecond)
	}
	if err := os.MkdirAll(filepath.Dir(store.Image(arn)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store.Image(arn), []byte(`{"end":"CANCELLED"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := <-got; !strings.HasSuffix(text, "id: 20\nevent: end\ndata: {\"status\":\"CANCELLED\"}\n\n") {
		t.Errorf("the log was %q", text)
	}
}

func TestLogRefusals(t *testing.T) {
	s, _ := withLogs(t)
	const events = "/logs/events?group=/aws/imagebuilder/web&stream=1.0.0/1"
	for path, part := range map[string]string{
		"/logs/streams": "The log group ''",
		"/logs/streams?group=" + strings.Repeat("a", 513):                "1 to 512",
		"/logs/events?group=/a&stream=" + url.QueryEscape("/../../x"):    "The log stream '/../../x'",
		"/logs/events?group=" + url.QueryEscape("/a\x00b") + "&stream=1": "The log group",
		"/logs/events?image=x":                                "'x' is not the ARN of an image build",
		"/logs/events?image=" + own + "image/web/x.x.x":       "not the ARN of an image build",
		"/logs/events?image=" + own + "component/web/1.0.0/1": "not the ARN of an image build",
		events + "&offset=-1":                                 "The offset '-1'",
		events + "&offset=1e3":                                "The offset '1e3'",
		events + "&offset=99999999999999999999":               "The offset '9999",
		events + "&offset=1":                                  "in the middle of a line",
		events + "&offset=105":                                "The log has 104 bytes and no offset 105",
		events + "&since=yesterday":                           "The time 'yesterday'",
		events + "&stream=2":                                  "'stream' is given 2 times",
		events + "&follow=1":                                  "There is no parameter 'follow'",
		"/logs/groups?group=/a":                               "There is no parameter 'group' here; there are prefix, after",
	} {
		s.refused(400, invalid, "GET", path, nil, part)
	}
	s.refused(400, combination, "GET", events+"&image="+webLog, nil)
	s.refused(404, notFound, "GET", "/logs/streams?group=/none", nil)
	s.refused(404, notFound, "GET", "/logs/events?group=/aws/imagebuilder/web&stream=1.0.0/2", nil)
	s.refused(404, notFound, "GET", "/logs/events?group="+url.QueryEscape("/../../..")+"&stream=..", nil)
	s.refused(404, notFound, "GET", "/logs/events?image="+own+"image/none/1.0.0/1", nil)
	s.refused(404, "UnknownOperationException", "PUT", "/logs/groups", nil)

	r, err := http.NewRequest("GET", s.URL+events, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.send(r); a.Status != 403 || a.exception() != "MissingAuthenticationTokenException" {
		t.Errorf("without a signature: %d %s", a.Status, a.exception())
	}

	s.putAdministrator(otherAccount, "AKIDOTHER")
	other := s.signedBy(ingot.AccessKey{ID: "AKIDOTHER", Secret: secret})
	other.refused(404, notFound, "GET", events, nil)
	other.refused(404, notFound, "GET", "/logs/events?image="+webLog, nil)
	if got := other.must("GET", "/logs/groups", nil); len(got["groups"].([]any)) != 0 {
		t.Errorf("another account sees %v", got)
	}
}

// TestManyFollowers: those who wait for a line are bounded, and cost the
// others nothing.
func TestManyFollowers(t *testing.T) {
	s, _ := withLogs(t)
	path := "/logs/events?group=%2Faws%2Fimagebuilder%2Fpipeline%2Fnightly&stream=2026%2F01%2F01"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for n := range 200 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.sign(r, nil, s.credentials.SecretAccessKey, s.now())
		resp, err := http.DefaultClient.Do(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("follower %d: %v, %v", n, resp, err)
		}
		defer resp.Body.Close()
	}
	s.refused(503, "ServiceUnavailableException", "GET", path, nil, "200")
	s.must("GET", "/logs/groups", nil)
	cancel()
	if text := s.events(t, url.Values{"image": {webLog}}, ""); !strings.Contains(text, "event: end") {
		t.Errorf("after the others have gone: %q", text)
	}
}

// TestLogPolicies: what may be read of logs is the other service's to say.
func TestLogPolicies(t *testing.T) {
	s, _ := withLogs(t)
	const group = "arn:aws:logs:us-east-1:" + account + ":log-group:"
	builder := s.user("builder", allows("imagebuilder:*", "*"))
	for path, action := range map[string]string{
		"/logs/groups": "logs:DescribeLogGroups on resource: " + group + "*",
		"/logs/streams?group=/aws/imagebuilder/web":               "logs:DescribeLogStreams on resource: " + group + "/aws/imagebuilder/web:*",
		"/logs/events?group=/aws/imagebuilder/web&stream=1.0.0/1": "logs:GetLogEvents on resource: " + group + "/aws/imagebuilder/web:log-stream:1.0.0/1",
		"/logs/events?image=" + webLog:                            "logs:GetLogEvents on resource: " + group + "/aws/imagebuilder/web:log-stream:1.0.0/1",
	} {
		builder.refused(403, denied, "GET", path, nil, action)
	}
	reader := s.user("reader", allows("logs:GetLogEvents", group+"/aws/imagebuilder/web:*"))
	if text := reader.events(t, url.Values{"image": {webLog}}, ""); !strings.Contains(text, "event: end") {
		t.Errorf("a reader gets %q", text)
	}
	reader.refused(403, denied, "GET", "/logs/events?group=/aws/imagebuilder/pipeline/nightly&stream=2026/01/01", nil)
}

// TestPresignedLog: what cannot set headers, as a browser, has the signature in the query.
func TestPresignedLog(t *testing.T) {
	s, _ := withLogs(t)
	r, err := http.NewRequest("GET", s.URL+"/logs/events?X-Amz-Expires=60&image="+url.QueryEscape(webLog), nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), s.credentials, r, hex.EncodeToString(sum[:]), "imagebuilder", region, s.now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	plain, err := http.NewRequestWithContext(ctx, "GET", signed, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		t.Errorf("a presigned request: %s, %s", resp.Status, got)
	}
}
