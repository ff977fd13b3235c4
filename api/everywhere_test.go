package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
)

// TestTokensEverywhere repeats every operation that has a client token: the
// answer is the first one, and other parameters are refused. Source: api.md §1.8.
func TestTokensEverywhere(t *testing.T) {
	w := newWorld(t)
	tested := 0
	for _, r := range w.requests() {
		route := routeOf(r.operation)
		if _, ok := route.Input.Member("clientToken"); !ok || r.exception != "" {
			continue
		}
		tested++
		in := object(r.in).with(obj{"clientToken": "token of " + r.operation})
		first := w.must(route.Method, route.Path, in)
		second := w.must(route.Method, route.Path, in)
		delete(first, "requestId")
		delete(second, "requestId")
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s again (-first +second):\n%s", r.operation, diff)
		}
		if len(r.in) == 1 { // another one would be another resource
			continue
		}
		for _, member := range []string{"description", "tags", "filters"} {
			if _, ok := r.in[member]; ok {
				w.refused(400, "IdempotentParameterMismatchException", route.Method, route.Path, object(in).with(obj{member: nil}), "token of "+r.operation)
				break
			}
		}
	}
	if tested < 15 {
		t.Errorf("only %d operations with a client token", tested)
	}
}

// TestTagsEverywhere tags every kind of resource when it is made and after:
// Get and ListTagsForResource agree at once, and nothing else has changed.
// Source: api.md §3.12, §9.4.
func TestTagsEverywhere(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	w := newWorld(t, clock(&now))
	tagged := 0
	for _, r := range w.requests() {
		if _, tags := r.in["tags"]; !tags || r.exception != "" || r.operation == "TagResource" {
			continue
		}
		tagged++
		var arn string
		for name, value := range w.must("PUT", "/"+r.operation, r.in) {
			if strings.HasSuffix(name, "Arn") {
				arn, _ = value.(string)
			}
		}
		get := func() obj {
			for _, g := range getters {
				if strings.Contains(arn, ":"+g.kind+"/") {
					return w.must("GET", "/Get"+g.operation+"?"+url.Values{g.parameter: {arn}}.Encode(), nil)[g.member].(obj)
				}
			}
			t.Fatalf("%s: nothing gets %s", r.operation, arn)
			return nil
		}
		path := "/tags/" + url.PathEscape(arn)
		before := get()
		if diff := cmp.Diff(r.in["tags"], before["tags"]); diff != "" {
			t.Errorf("%s (-sent +got):\n%s", r.operation, diff)
		}
		now = now.Add(time.Minute)
		w.must("POST", path, obj{"tags": obj{"team": "b", "Team": "c"}})
		w.must("DELETE", path+"?tagKeys=empty", nil)
		want := obj{"team": "b", "Team": "c"}
		if diff := cmp.Diff(object(before).with(obj{"tags": want}), get()); diff != "" {
			t.Errorf("%s, tagged (-want +got):\n%s", arn, diff)
		}
		if diff := cmp.Diff(obj{"tags": want}, w.must("GET", path, nil)); diff != "" {
			t.Errorf("ListTagsForResource of %s (-want +got):\n%s", arn, diff)
		}
		many := obj{}
		for n := range 49 {
			many[fmt.Sprint("key", n)] = ""
		}
		w.refused(400, "InvalidParameterException", "POST", path, obj{"tags": many}, "50")
	}
	if tagged < 11 {
		t.Errorf("only %d kinds of resource with tags", tagged)
	}
}

// getters are the operations that read one resource, by the kind in its ARN.
var getters = []struct {
	kind                         string
	operation, parameter, member string
}{
	{"component", "Component", "componentBuildVersionArn", "component"},
	{"image-recipe", "ImageRecipe", "imageRecipeArn", "imageRecipe"},
	{"container-recipe", "ContainerRecipe", "containerRecipeArn", "containerRecipe"},
	{"infrastructure-configuration", "InfrastructureConfiguration", "infrastructureConfigurationArn", "infrastructureConfiguration"},
	{"distribution-configuration", "DistributionConfiguration", "distributionConfigurationArn", "distributionConfiguration"},
	{"image-pipeline", "ImagePipeline", "imagePipelineArn", "imagePipeline"},
	{"image", "Image", "imageBuildVersionArn", "image"},
	{"workflow", "Workflow", "workflowBuildVersionArn", "workflow"},
	{"lifecycle-policy", "LifecyclePolicy", "lifecyclePolicyArn", "lifecyclePolicy"},
}

// TestForeignARNs sends every request with its ARNs in another region,
// account and partition: none of them finds anything, or changes it.
// Source: api.md §2.1, §3.
func TestForeignARNs(t *testing.T) {
	w := newWorld(t)
	before := w.snapshot()
	for _, r := range w.requests() {
		route := routeOf(r.operation)
		member := target(route)
		arn, _ := r.in[member].(string)
		switch {
		case !strings.HasPrefix(arn, own), r.operation == "ImportDiskImage": // every fault of it is a ClientException: IE-6
			continue
		case r.operation == "SendWorkflowStepAction": // the step is found first: TestWaitingSteps
			continue
		}
		for prefix, want := range map[string][]string{
			strings.Replace(own, region, "eu-west-1", 1):      {notFound},
			strings.Replace(own, account, otherAccount, 1):    {notFound, "ForbiddenException"},
			strings.Replace(own, "arn:aws:", "arn:aws-x:", 1): {invalid, "InvalidParameterException"},
		} {
			in := object(r.in).with(obj{member: prefix + strings.TrimPrefix(arn, own)})
			path, body := onTheWire(route, in)
			a := w.call(route.Method, path, body)
			empty := strings.HasSuffix(r.operation, "BuildVersions") && a.Status == 200 && !strings.Contains(prefix, "aws-x")
			if a.exception() != want[0] && a.exception() != want[len(want)-1] && !empty {
				t.Errorf("%s of %s… = %d %s %s, want %v", r.operation, prefix, a.Status, a.exception(), a.message(), want)
			}
		}
	}
	if diff := cmp.Diff(before, w.snapshot()); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// target is the first member of an input that is an ARN, the one acted on.
func target(route model.Route) string {
	for _, m := range route.Input.Members {
		if m.Required && strings.HasSuffix(m.Name, "Arn") {
			return m.Name
		}
	}
	return ""
}

// snapshot is what the lists of the account show.
func (w *world) snapshot() obj {
	all := obj{}
	for _, operation := range []string{
		"ListComponentBuildVersions", "ListImageRecipes", "ListContainerRecipes", "ListInfrastructureConfigurations",
		"ListDistributionConfigurations", "ListImagePipelines", "ListImageBuildVersions", "ListWorkflowBuildVersions", "ListLifecyclePolicies",
	} {
		answer := w.must("POST", "/"+operation, nil)
		delete(answer, "requestId")
		all[operation] = answer
	}
	return all
}
