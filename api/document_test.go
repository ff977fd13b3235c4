package api_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/api"
	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/dir"
)

// inBucket gives a server an object in the bucket documents.
func inBucket(t testing.TB, key, text string) func(*api.Config) {
	t.Helper()
	store := dir.Store(t.TempDir())
	path := filepath.Join(t.TempDir(), "object")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := store.Put(t.Context(), blob.Location{Bucket: "documents", Key: key}, f); err != nil {
		t.Fatal(err)
	}
	return func(c *api.Config) { c.Documents = store.Read }
}

func TestDocumentsOfAnAddress(t *testing.T) {
	s := start(t, inBucket(t, "flow.yml", flowDocument))
	in := obj{"name": "flow", "semanticVersion": "1.0.0", "type": "TEST", "uri": "s3://documents/flow.yml"}
	arn, _ := s.must("PUT", "/CreateWorkflow", in)["workflowBuildVersionArn"].(string)
	w, _ := s.must("GET", "/GetWorkflow?workflowBuildVersionArn="+arn, nil)["workflow"].(map[string]any)
	if w["data"] != flowDocument {
		t.Errorf("the workflow's data is %v", w["data"])
	}

	s = start(t, inBucket(t, "script", "echo from a bucket"))
	script := obj{"name": "hello", "semanticVersion": "1.0.0", "type": "BUILD", "format": "SHELL", "platform": "Linux", "uri": "s3://documents/script"}
	arn, _ = s.must("PUT", "/ImportComponent", script)["componentBuildVersionArn"].(string)
	if data, _ := s.getComponent(arn)["data"].(string); !strings.Contains(data, "echo from a bucket") || !strings.Contains(data, "schemaVersion") {
		t.Errorf("the component's document is %q, want one that runs the script", data)
	}

	s = withCatalogue(t, inBucket(t, "Dockerfile", "FROM {{{ imagebuilder:parentImage }}}\n"))
	arn, _ = s.must("PUT", "/CreateContainerRecipe", containerRecipe("web", "1.0.0",
		obj{"dockerfileTemplateData": nil, "components": nil, "dockerfileTemplateUri": "s3://documents/Dockerfile"}))["containerRecipeArn"].(string)
	if got := s.getContainerRecipe(arn)["dockerfileTemplateData"]; got != "FROM {{{ imagebuilder:parentImage }}}\n" {
		t.Errorf("the recipe's template is %v", got)
	}
}

const flowDocument = `schemaVersion: 1.0
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
`

func TestDocumentsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ uri, text, part string }{
		"not there":   {"s3://documents/other", "x", "does not exist"},
		"too large":   {"s3://documents/key", strings.Repeat("x", 64<<10+1), "65536 bytes"},
		"no text":     {"s3://documents/key", "\xff\xfe", "UTF-8"},
		"no key":      {"s3://documents", "x", "write s3://bucket/key"},
		"by HTTP":     {"https://documents/key", "x", "write s3://bucket/key"},
		"another one": {"s3://../key", "x", "'uri'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, inBucket(t, "key", c.text))
			in := component("demo", "1.0.0", "")
			delete(in, "data")
			in["uri"] = c.uri
			s.refused(400, invalid, "PUT", "/CreateComponent", in, "'uri'", c.part)
		})
	}
}

// TestRepeatedRequestNeedsNoObject: it gets the answer of the first.
func TestRepeatedRequestNeedsNoObject(t *testing.T) {
	gone := false
	s := start(t, func(c *api.Config) {
		c.Documents = func(context.Context, blob.Location, int64) ([]byte, error) {
			if gone {
				return nil, blob.ErrNotFound
			}
			return []byte(docBuild), nil
		}
	})
	in := component("demo", "1.0.0", "")
	delete(in, "data")
	in["uri"], in["clientToken"] = "s3://documents/key", "once"
	first := s.must("PUT", "/CreateComponent", in)["componentBuildVersionArn"]
	gone = true
	if again := s.must("PUT", "/CreateComponent", in)["componentBuildVersionArn"]; again != first {
		t.Errorf("the repeated request made %v, want %v", again, first)
	}
	in["clientToken"] = "another"
	s.refused(400, invalid, "PUT", "/CreateComponent", in, "'uri'", "does not exist")
}
