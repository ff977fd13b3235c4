package toe_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

func environment(e cloudtest.Environment) func(*toe.Request) {
	return func(r *toe.Request) { r.Environment = e }
}

func TestC47S3Download(t *testing.T) {
	server := cloudtest.StartS3(t)
	server.Put(t, "p/a", []byte("content of a"))
	server.Put(t, "p/q/b", []byte("content of b"))
	tr := try(t, environment(server.Environment), document(`
- name: missing
  action: S3Download
  onFailure: Ignore
  inputs: [{source: s3://documents/p/a, destination: $DIR/none/a}]
- name: folder
  action: CreateFolder
  inputs: [{path: $DIR/all}]
- name: prefix
  action: S3Download
  inputs: [{source: 's3://documents/p/*', destination: $DIR/all}]
- name: read
  action: ExecuteBash
  inputs: {commands: ['cd $DIR; test ! -e none; grep -r . all | sort']}
- name: back
  action: S3Upload
  inputs: [{source: $DIR/all, destination: 's3://documents/{{ context:executionId }}/', recurse: true}]
`))
	if tr.err != nil || tr.counters() != "5/0/1" || tr.stdout("build.read") != "all/a:content of a\nall/q/b:content of b" {
		t.Errorf("Run = %s, %v, stdout %q\n%s", tr.counters(), tr.err, tr.stdout("build.read"), tr.console)
	}
	if got, want := server.Keys(t), []string{"p/a", "p/q/b", "run-1/a", "run-1/q/b"}; !slices.Equal(got, want) {
		t.Errorf("objects = %v, want %v", got, want)
	}
}

func TestC54Metadata(t *testing.T) {
	fake := cloudtest.StartFake(t)
	fake.SetMetadata("meta-data/placement/region", "eu-west-1")
	fake.SetMetadata("dynamic/instance-identity/document", `{"accountId":"111122223333","region":"eu-west-1"}`)
	tr := try(t, environment(fake.Environment), document(`
- name: s
  action: ExecuteBash
  inputs: {commands: ['echo {{ aws:imds:placement/region }} {{ aws:imds:/placement/region }} {{ context:accountId }}']}
- name: none
  action: ExecuteBash
  inputs: {commands: ['echo {{ aws:imds:none }}']}
`))
	if got, want := tr.stdout("build.s"), "eu-west-1 eu-west-1 111122223333"; got != want {
		t.Errorf("stdout = %q, want %q\n%s", got, want, tr.console)
	}
	if got := tr.steps["build.none"].FailureMessage; !strings.HasPrefix(got, "Unable to resolve '{{ aws:imds:none }}': reading instance metadata none: ") {
		t.Errorf("failure = %q", got)
	}
	for _, reference := range []string{"aws:imds:iam/info", "aws:imds:/IAM/../iam/x", "context:nope", "imagebuilder:buildDate"} {
		text := document("- {name: s, action: ExecuteBash, inputs: {commands: ['echo {{ " + reference + " }}']}}")
		if _, findings := toe.Check([]byte(text), toe.CheckOptions{}); len(findings.Errors()) != 1 {
			t.Errorf("Check of {{ %s }} = %v, want one error", reference, findings)
		}
	}
}

// deliver runs a document whose logs go to a bucket and a stream.
func deliver(t *testing.T, ctx context.Context, dir, doc string, e cloudtest.Environment, change func(*toe.Request)) (toe.Result, error) {
	t.Helper()
	req := request(dir, doc)
	req.Environment = e
	req.LogBucket = &toe.LogBucket{Name: "documents", Owner: cloudtest.Account, KeyPrefix: "logs/of/this"}
	req.LogStream = &toe.LogStream{Group: "group"}
	if change != nil {
		change(&req)
	}
	return toe.Run(ctx, req, toe.Options{})
}

func TestDelivery(t *testing.T) {
	server, fake := cloudtest.StartS3(t), cloudtest.StartFake(t)
	e := maps.Clone(fake.Environment)
	maps.Copy(e, server.Environment)
	dir := t.TempDir()
	doc := document(`
- {name: a, action: ExecuteBash, inputs: {commands: [echo before]}}
- {name: r, action: Reboot}
- {name: b, action: ExecuteBash, inputs: {commands: [echo after]}}`)
	first, err := deliver(t, t.Context(), dir, doc, e, nil)
	if err != nil || !first.Reboot {
		t.Fatalf("Run = %+v, %v; want a reboot", first, err)
	}
	folder := strings.TrimPrefix(first.LogURL, "s3://documents/")
	want := []string{}
	for _, name := range []string{"application.log", "chaining.json", "console.log", "detailedoutput.json", "document.yaml"} {
		want = append(want, folder+"/"+name)
	}
	if got := server.Keys(t); !slices.Equal(got, want) || !strings.HasPrefix(folder, "logs/of/this/TOE_") {
		t.Fatalf("after the first run objects = %v, want %v", got, want)
	}
	second, err := deliver(t, t.Context(), dir, doc, e, nil)
	if err != nil || second.Status != "success" || second.LogURL != first.LogURL {
		t.Errorf("second run = %+v, %v", second, err)
	}
	for _, key := range want {
		local, err := os.ReadFile(filepath.Join(dir, "logs", filepath.Base(folder), filepath.Base(key)))
		if diff := cmp.Diff(string(local), string(server.Get(t, key))); diff != "" || err != nil {
			t.Errorf("object %s (%v):\n%s", key, err, diff)
		}
	}
	console := regexp.MustCompile(`(?m)^[-0-9]{10} [:.0-9]{12} [A-Z][a-z]+ `).ReplaceAllString(string(server.Get(t, folder+"/console.log")), "")
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(console, "\n"), "\n"), fake.Stream("group", request(dir, doc).ExecutionID)); diff != "" {
		t.Errorf("the stream is not console.log without times and levels:\n%s", diff)
	}
}

func TestFailedDelivery(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refusing.Close()
	nowhere := cloudtest.Environment{
		"AWS_ENDPOINT_URL": refusing.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
	}
	onlyStream := func(r *toe.Request) { r.LogBucket = nil }
	for _, tt := range []struct {
		name   string
		change func(*toe.Request)
		want   string // of the failure; empty: the run succeeds
	}{
		{"bucket", func(r *toe.Request) { r.LogStream = nil }, "uploading logs: uploading s3://documents/logs/of/this/TOE_"},
		{"stream", onlyStream, "writing log stream "},
		{"stream that may fail", func(r *toe.Request) { onlyStream(r); r.LogStream.IgnoreFailures = true }, ""},
		{"stream without a group", func(r *toe.Request) { r.LogStream.Group = "" }, "the log stream needs the name of its log group"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result, err := deliver(t, t.Context(), t.TempDir(), document(`- {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}`), nowhere, tt.change)
			if tt.want == "" {
				if err != nil || result.Status != "success" {
					t.Errorf("Run = %+v, %v; want success", result, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || result.Status == "success" {
				t.Errorf("Run = %+v, %v; want failure with %q", result, err, tt.want)
			}
		})
	}
}

// The logs of a cancelled run arrive, too.
func TestDeliveryOfCancelledRun(t *testing.T) {
	server := cloudtest.StartS3(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	result, err := deliver(t, ctx, t.TempDir(), document(`- {name: s, action: ExecuteBash, inputs: {commands: [sleep 60]}}`), server.Environment,
		func(r *toe.Request) { r.LogStream = nil })
	if err == nil || result.Status != "failed" || len(server.Keys(t)) == 0 {
		t.Errorf("Run = %+v, %v, objects %v; want a failure with logs", result, err, server.Keys(t))
	}
}

func TestDocumentFromS3(t *testing.T) {
	server := cloudtest.StartS3(t)
	server.Put(t, "child.yml", []byte(document(`- {name: s, action: ExecuteBash, inputs: {commands: [echo from the bucket]}}`)))
	tr := try(t, environment(server.Environment), document(`
- name: nested
  action: ExecuteDocument
  inputs: {document: s3://documents/child.yml, document-s3-bucket-owner: "`+cloudtest.Account+`"}
- name: other
  action: ExecuteDocument
  inputs: {document: s3://documents/child.yml, document-s3-bucket-owner: "999988887777"}`))
	if !strings.Contains(tr.console, "CmdExecution: Stdout: from the bucket") || tr.counters() != "2/1/0" {
		t.Errorf("Run = %s\n%s", tr.counters(), tr.console)
	}
	if got := tr.steps["build.other"].FailureMessage; !strings.Contains(got, "AccessDenied") {
		t.Errorf("failure = %q", got)
	}
}
