package api_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// environment is what a client of the vendor's needs to find the server.
func (s *server) environment() []string {
	return append(os.Environ(), "AWS_ENDPOINT_URL="+s.URL, "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_PAGER=",
		"AWS_DEFAULT_REGION="+region, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_MAX_ATTEMPTS=1")
}

// TestBoto3 drives the server with the other common client: W7, W8, W9, W11
// and W14 as botocore sees them, and one of each kind of resource.
func TestBoto3(t *testing.T) {
	testenv.For(t, testenv.Boto3)
	s := withCatalogue(t)
	script, err := filepath.Abs("testdata/client.py")
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "python3", script)
	cmd.Env = s.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("boto3: %v\n%s", err, out)
	}
}

// cli runs an operation by the aws command, which may be of version 1 or 2.
func (s *server) cli(arguments ...string) (out obj, failure string) {
	s.t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(s.t.Context(), "aws", append([]string{"imagebuilder", "--output", "json"}, arguments...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environment(), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, err.Error() + ": " + stderr.String()
	}
	if stdout.Len() > 0 {
		must(s.t, json.Unmarshal([]byte(stdout.String()), &out))
	}
	return out, ""
}

// TestCLI drives one of each feature of the protocol by the aws command: an
// input of files and JSON, a list in the query string, an ARN in the path,
// pages that it joins, and the text of an error.
func TestCLI(t *testing.T) {
	testenv.For(t, testenv.AWSCLI)
	s := start(t)
	document := filepath.Join(t.TempDir(), "document.yml")
	must(t, os.WriteFile(document, []byte(docBuild), 0o600))
	created, failure := s.cli("create-component", "--name", "Web Server", "--semantic-version", "1.0.0", "--platform", "Linux", "--data", "file://"+document, "--tags", "team=a b")
	arn := own + "component/web-server/1.0.0/1"
	if created["componentBuildVersionArn"] != arn {
		t.Fatalf("create-component = %v %s", created, failure)
	}
	got, failure := s.cli("get-component", "--component-build-version-arn", own+"component/web-server/x.x.x")
	if dig(got, "component", "data") != docBuild || dig(got, "component", "tags", "team") != "a b" {
		t.Errorf("get-component = %v %s", got, failure)
	}
	workflow := s.createWorkflow(flow("approve", "1.0.0", model.WorkflowTypeTest, flowWait, nil))
	if _, failure := s.cli("tag-resource", "--resource-arn", workflow, "--tags", `{"a b":"1","c=d":"2","keep":""}`); failure != "" {
		t.Error("tag-resource:", failure)
	}
	if _, failure := s.cli("untag-resource", "--resource-arn", workflow, "--tag-keys", "a b", "c=d"); failure != "" {
		t.Error("untag-resource:", failure)
	}
	listed, failure := s.cli("list-tags-for-resource", "--resource-arn", workflow)
	if diff := cmp.Diff(obj{"tags": obj{"keep": ""}}, listed); diff != "" {
		t.Errorf("list-tags-for-resource %s (-want +got):\n%s", failure, diff)
	}
	for _, name := range []string{"one", "two", "three", "four"} {
		s.createComponent(name, "1.0.0", docBuild)
	}
	pages, failure := s.cli("list-components", "--page-size", "2", "--filters", "name=platform,values=Linux,Windows")
	if list, _ := pages["componentVersionList"].([]any); len(list) != 5 {
		t.Errorf("list-components = %v %s", pages, failure)
	}
	if _, failure := s.cli("delete-component", "--component-build-version-arn", own+"component/nope/1.0.0/1"); !strings.Contains(failure, "(ResourceNotFoundException)") || !strings.Contains(failure, "DeleteComponent") {
		t.Errorf("delete-component of nothing: %s", failure)
	}
}
