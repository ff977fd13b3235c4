package project_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/client"
	"ingot.dev/ingot/project"
)

func TestLoadTheExample(t *testing.T) {
	p, err := project.Load("../examples/web-server")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Components) != 2 || !strings.Contains(p.Components[0].Data, "schemaVersion") {
		t.Errorf("components = %+v, want two with their documents read", p.Components)
	}
	if got := p.ImageRecipe.Components[0].Parameters[0].Value[0]; got != "Hello from a golden image." {
		t.Errorf("parameter = %q", got)
	}
	if p.ImagePipeline.Schedule.ScheduleExpression != "cron(0 3 ? * SUN *)" {
		t.Errorf("schedule = %+v", p.ImagePipeline.Schedule)
	}
}

func TestScalarsKeepTheirText(t *testing.T) {
	p, err := project.Parse("p.yaml", []byte("imageRecipe: {name: 0750, semanticVersion: 1.10.0, tags: {yes: 1.10}, blockDeviceMappings: [{noDevice: '', ebs: {volumeSize: 8, encrypted: true}}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(p.ImageRecipe)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"0750","semanticVersion":"1.10.0","blockDeviceMappings":[{"ebs":{"encrypted":true,"volumeSize":8},"noDevice":""}],"tags":{"yes":"1.10"}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("recipe (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("../examples/web-server/ingot.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("imageRecipe: &a {name: x, tags: *a}"))
	f.Add([]byte("components: [*x]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := project.Parse("fuzz.yaml", data)
		var found *project.Error
		if err != nil && (!errors.As(err, &found) || len(found.Findings) == 0) {
			t.Errorf("Parse failed without a finding: %v", err)
		}
		if err == nil && p.ImageRecipe == nil {
			t.Error("Parse accepted a project without a recipe")
		}
	})
}

// calls answers operations from a table and records them.
type calls struct {
	t       *testing.T
	answers map[string]string // body by operation; "!" in front makes it an error of that exception
	made    []string
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := strings.TrimPrefix(r.URL.Path, "/")
	c.made = append(c.made, op)
	body, ok := c.answers[op]
	if !ok {
		c.t.Errorf("unexpected call of %s", op)
	}
	if code, message, isError := strings.Cut(strings.TrimPrefix(body, "!"), " "); isError && strings.HasPrefix(body, "!") {
		w.Header().Set("x-amzn-ErrorType", code)
		w.WriteHeader(http.StatusBadRequest)
		body = `{"message":` + string(must(json.Marshal(message))) + `}`
	}
	w.Write([]byte(body))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestApply(t *testing.T) {
	dir := t.TempDir()
	text := `
components: [{name: c, semanticVersion: 1.0.0, platform: Linux, data: "a: b\n"}]
imageRecipe: {name: My Recipe, semanticVersion: 1.0.0, parentImage: aws:image/debian-12-x86/x.x.x, components: [{componentArn: component/c/1.0.x}]}
imagePipeline: {name: p}
`
	if err := os.WriteFile(filepath.Join(dir, project.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "arn:aws:imagebuilder:us-east-1:123456789012:"
	fresh := map[string]string{
		"CreateComponent":                   `{"componentBuildVersionArn":"` + prefix + `component/c/1.0.0/1"}`,
		"GetImageRecipe":                    "!ResourceNotFoundException nope",
		"CreateImageRecipe":                 `{"imageRecipeArn":"` + prefix + `image-recipe/my-recipe/1.0.0"}`,
		"CreateInfrastructureConfiguration": `{"infrastructureConfigurationArn":"` + prefix + `infrastructure-configuration/ingot-default"}`,
		"CreateImagePipeline":               `{"imagePipelineArn":"` + prefix + `image-pipeline/p"}`,
	}
	want := project.Applied{
		Components:                  []string{prefix + "component/c/1.0.0/1"},
		ImageRecipe:                 prefix + "image-recipe/my-recipe/1.0.0",
		InfrastructureConfiguration: prefix + "infrastructure-configuration/ingot-default",
		ImagePipeline:               prefix + "image-pipeline/p",
	}
	apply := func(answers map[string]string) (project.Applied, []string, error) {
		c := &calls{t: t, answers: answers}
		srv := httptest.NewServer(c)
		defer srv.Close()
		target := project.Target{
			Client:  &client.Client{Endpoint: srv.URL, Region: "us-east-1", AccessKeyID: "A", SecretAccessKey: "s"},
			Account: "123456789012", Region: "us-east-1",
		}
		got, err := p.Apply(t.Context(), target)
		return got, c.made, err
	}

	got, _, err := apply(fresh)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Apply to an empty server (-want +got): %v\n%s", err, diff)
	}

	// What is there and equal is used; configurations that differ are updated.
	taken := func(kind, tail string) string {
		return "!ResourceAlreadyExistsException The following resource '" + kind + "' already exists: '" + prefix + tail + "'."
	}
	got, made, err := apply(map[string]string{
		"CreateComponent":                   taken("Component", "component/c/1.0.0/1"),
		"GetImageRecipe":                    `{"imageRecipe":{"arn":"` + want.ImageRecipe + `","name":"My Recipe","version":"1.0.0","type":"AMI","parentImage":"arn:aws:imagebuilder:us-east-1:aws:image/debian-12-x86/x.x.x","components":[{"componentArn":"` + prefix + `component/c/1.0.x"}],"tags":{}}}`,
		"CreateInfrastructureConfiguration": taken("InfrastructureConfiguration", "infrastructure-configuration/ingot-default"),
		"UpdateInfrastructureConfiguration": "{}",
		"CreateImagePipeline":               taken("ImagePipeline", "image-pipeline/p"),
		"UpdateImagePipeline":               "{}",
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Apply again (-want +got): %v\n%s\ncalls: %v", err, diff, made)
	}

	// A recipe of that version with another content cannot be changed.
	fresh["GetImageRecipe"] = `{"imageRecipe":{"arn":"` + want.ImageRecipe + `","name":"My Recipe","parentImage":"ami-12345678"}}`
	fresh["CreateImageRecipe"] = taken("ImageRecipe", "image-recipe/my-recipe/1.0.0")
	if _, _, err = apply(fresh); err == nil || !strings.Contains(err.Error(), "raise semanticVersion, or write 1.0.x") {
		t.Errorf("Apply over another recipe = %v, want what to do about it", err)
	}
}
