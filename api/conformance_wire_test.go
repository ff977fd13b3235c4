package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

var wireCases = cases{
	"W1": func(t *testing.T) {
		s := start(t)
		r, err := http.NewRequest("GET", s.URL+"/GetComponent?componentBuildVersionArn=x", nil)
		must(t, err)
		a := s.send(r)
		if a.Status != 403 || a.exception() != "MissingAuthenticationTokenException" || a.message() == "" || a.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("an unsigned request = %+v", a)
		}
	},
	"W2": func(t *testing.T) { badSignature(t, "another secret", 0, "signature we calculated") },
	"W3": func(t *testing.T) { badSignature(t, secret, -10*time.Minute, "Signature expired") },
	"W4": func(t *testing.T) {
		start(t).refused(400, "SerializationException", "PUT", "/CreateComponent", "{")
	},
	"W5": func(t *testing.T) {
		a := start(t).call("POST", "/ListComponents", nil)
		want := obj{"requestId": a.Header.Get("X-Amzn-Requestid"), "componentVersionList": []any{}}
		if diff := cmp.Diff(want, a.Body); diff != "" || a.Status != 200 || want["requestId"] == "" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("ListComponents = %d %v (-want +got):\n%s", a.Status, a.Header, diff)
		}
	},
	"W6": func(t *testing.T) {
		start(t).refused(404, "UnknownOperationException", "POST", "/NoSuchOperation", nil)
	},
	"W7": func(t *testing.T) { // by botocore: TestBoto3
		s := start(t)
		absent := own + "image/nope/1.0.0/1"
		_, err := s.client().GetImage(t.Context(), &imagebuilder.GetImageInput{ImageBuildVersionArn: &absent})
		wantError(t, "GetImage of an absent build", err, notFound)
		s.refused(404, notFound, "GET", "/GetImage?imageBuildVersionArn="+absent, nil, "The resource with ARN '"+absent+"' does not exist.")
	},
	"W8": func(t *testing.T) { // by botocore: TestBoto3; through the Go client: TestAllOperations
		s := start(t)
		arn := s.createWorkflow(flow("approve", "1.0.0", model.WorkflowTypeTest, flowWait, nil))
		path := "/tags/" + url.PathEscape(arn)
		if !strings.Contains(path, "%2F") {
			t.Fatalf("the path %s is not escaped", path)
		}
		for _, path := range []string{path, strings.ReplaceAll(path, ":", "%3A"), "/tags/" + arn} {
			tagged := s.must("POST", path, obj{"tags": obj{"a": "b"}})
			listed := s.must("GET", path, nil)
			untagged := s.must("DELETE", path+"?tagKeys=a", nil)
			if diff := cmp.Diff([]obj{{}, {"tags": obj{"a": "b"}}, {}}, []obj{tagged, listed, untagged}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	},
	"W9": func(t *testing.T) {
		a := start(t).call("PUT", "/CreateWorkflow", flow("approve", "1.0.0", model.WorkflowTypeTest, flowWait, nil))
		if _, has := a.Body["requestId"]; a.Status != 200 || has || a.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("CreateWorkflow = %+v", a)
		}
	},
	"W10": func(t *testing.T) {
		start(t).refused(400, invalid, "POST", "/ListComponents", obj{"maxResults": 26}, "'maxResults'")
	},
	"W11": func(t *testing.T) {
		s := start(t)
		for n := range 30 {
			s.createComponent(fmt.Sprintf("c-%02d", n), "1.0.0", docBuild)
		}
		var sizes []int
		seen := map[string]bool{}
		for pages := imagebuilder.NewListComponentsPaginator(s.client(), &imagebuilder.ListComponentsInput{MaxResults: aws.Int32(10)}); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			must(t, err)
			sizes = append(sizes, len(page.ComponentVersionList))
			for _, c := range page.ComponentVersionList {
				seen[*c.Arn] = true
			}
		}
		if diff := cmp.Diff([]int{10, 10, 10}, sizes); diff != "" || len(seen) != 30 {
			t.Errorf("%d different ARNs in pages (-want +got):\n%s", len(seen), diff)
		}
	},
	"W12": func(t *testing.T) {
		f := newFactory(t)
		for n := range 2 {
			f.recipe = f.newRecipe(fmt.Sprint("recipe-", n), "1.0.0")
			f.build()
		}
		token := f.must("POST", "/ListImages", obj{"maxResults": 1})["nextToken"]
		if token == nil {
			t.Fatal("ListImages gave no token")
		}
		f.refused(400, "InvalidPaginationTokenException", "POST", "/ListComponents", obj{"maxResults": 1, "nextToken": token})
	},
	"W13": func(t *testing.T) {
		s := start(t)
		filters := func(name, value string) obj { return obj{"filters": []obj{filter(name, value)}} }
		s.refused(400, invalid, "POST", "/ListComponents", filters("name", strings.Repeat("a", 1025)), "'filters[0].values[0]'")
		s.refused(400, invalidRequest, "POST", "/ListComponents", filters("Name", "a"), "'Name'")
	},
	"W14": func(t *testing.T) {
		s := start(t)
		arn, _ := s.must("PUT", "/CreateLifecyclePolicy", policy("demo", nil))["lifecyclePolicyArn"].(string)
		if created, ok := s.getPolicy(arn)["dateCreated"].(float64); !ok || time.Since(model.Epoch(created).Time()).Abs() > time.Hour {
			t.Errorf("dateCreated of a policy = %v", s.getPolicy(arn)["dateCreated"])
		}
		created, _ := s.getComponent(s.createComponent("demo", "1.0.0", docBuild))["dateCreated"].(string)
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", created); err != nil {
			t.Errorf("dateCreated of a component: %v", err)
		}
	},
}

// badSignature sends a request that is signed wrong.
func badSignature(t *testing.T, secret string, late time.Duration, part string) {
	t.Helper()
	s := start(t)
	r, err := http.NewRequest("POST", s.URL+"/ListComponents", nil)
	must(t, err)
	s.sign(r, nil, secret, time.Now().Add(late))
	if a := s.send(r); a.Status != 403 || a.exception() != "InvalidSignatureException" || !strings.Contains(a.message(), part) {
		t.Errorf("ListComponents = %d %s %s, want InvalidSignatureException, %q", a.Status, a.exception(), a.message(), part)
	}
}

var identityCases = cases{
	"I1": func(t *testing.T) {
		s := start(t)
		arn := s.createComponent("My_Test Comp", "1.0.0", docBuild)
		c := s.getComponent(arn)
		if arn != own+"component/my-test-comp/1.0.0/1" || c["name"] != "My_Test Comp" || c["type"] != "BUILD" || c["encrypted"] != true || dig(c, "state", "status") != "ACTIVE" {
			t.Errorf("%s is %v", arn, c)
		}
	},
	"I2": func(t *testing.T) {
		s := start(t)
		arn := s.createComponent("My_Test Comp", "1.0.0", docBuild)
		again := component("My_Test Comp", "1.0.0", docBuild)
		again["clientToken"] = "another"
		s.refused(400, exists, "PUT", "/CreateComponent", again, arn)
	},
	"I3": func(t *testing.T) {
		s := start(t)
		version := own + "component/my-test-comp/1.0.0"
		s.createComponent("My_Test Comp", "1.0.0", docBuild)
		if arn := s.createComponent("My_Test Comp", "1.0.0", docBuild2); arn != version+"/2" {
			t.Errorf("the changed document is %s", arn)
		}
		builds := s.must("POST", "/ListComponentBuildVersions", obj{"componentVersionArn": version})
		if dig(builds, "componentSummaryList", 0, "arn") != version+"/2" || dig(builds, "componentSummaryList", 1, "arn") != version+"/1" {
			t.Errorf("builds = %v", builds)
		}
		list := s.must("POST", "/ListComponents", nil)
		if n := len(list["componentVersionList"].([]any)); n != 1 || dig(list, "componentVersionList", 0, "arn") != version {
			t.Errorf("ListComponents = %v", list)
		}
	},
	"I4": func(t *testing.T) {
		s := start(t)
		s.createComponent("My_Test Comp", "1.0.0", docBuild)
		second := s.createComponent("My_Test Comp", "1.0.0", docBuild2)
		for _, version := range []string{"1.0.0", "x.x.x", "1.x.x"} {
			if got := s.getComponent(own + "component/my-test-comp/" + version)["arn"]; got != second {
				t.Errorf("GetComponent %s = %v", version, got)
			}
		}
	},
	"I5": func(t *testing.T) {
		start(t).refused(400, invalid, "GET", "/GetComponent?componentBuildVersionArn="+own+"component/my-test-comp/x.2.x", nil, "x.2.x")
	},
	"I6": func(t *testing.T) {
		s := start(t)
		for _, v := range []string{"2.2.4", "1.7.8", "1.6.8"} {
			s.createComponent("many", v, docBuild)
		}
		for pattern, want := range map[string]string{"x.x.x": "2.2.4", "1.x.x": "1.7.8", "1.6.x": "1.6.8"} {
			if got := s.getComponent(own + "component/many/" + pattern)["version"]; got != want {
				t.Errorf("%s is %v, want %s", pattern, got, want)
			}
		}
	},
	"I7": func(t *testing.T) {
		s := start(t)
		for _, v := range []string{"1.0", "1.0.1073741824", "1.x.x"} {
			s.refused(400, "InvalidVersionNumberException", "PUT", "/CreateComponent", component("demo", v, docBuild), v)
		}
	},
	"I8": func(t *testing.T) {
		s := withCatalogue(t)
		for n := range 3 {
			got := s.must("PUT", "/CreateImageRecipe", recipe("demo", "1.0.x", nil))["imageRecipeArn"]
			if want := fmt.Sprintf("%simage-recipe/demo/1.0.%d", own, n); got != want {
				t.Errorf("allocation %d = %v, want %s", n, got, want)
			}
		}
	},
	"I9": func(t *testing.T) {
		s := withCatalogue(t)
		s.must("PUT", "/CreateImageRecipe", recipe("demo", "1.0.0", nil))
		s.refused(400, exists, "PUT", "/CreateImageRecipe", recipe("Demo", "1.0.0", nil),
			"The following resource 'ImageRecipe' already exists: '"+own+"image-recipe/demo/1.0.0'.")
	},
	"I10": func(t *testing.T) {
		s := withCatalogue(t)
		name := own + "image-recipe/demo/"
		want := references(name + "1.2.3")
		created := s.must("PUT", "/CreateImageRecipe", recipe("demo", "1.2.3", nil))
		got := s.must("GET", "/GetImageRecipe?imageRecipeArn="+name+"1.2.3", nil)
		if want["latestMajorVersionArn"] != name+"1.x.x" || want["latestMinorVersionArn"] != name+"1.2.x" {
			t.Fatalf("the test expects %v", want)
		}
		for _, answer := range []obj{created, got} {
			if diff := cmp.Diff(want, answer["latestVersionReferences"]); diff != "" {
				t.Errorf("latestVersionReferences (-want +got):\n%s", diff)
			}
		}
	},
	"I11": func(t *testing.T) {
		s := start(t)
		s.createComponent("demo", "1.0.0", docBuild)
		second := s.createComponent("demo", "1.0.0", docBuild2)
		s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+second, nil)
		if got := s.createComponent("demo", "1.0.0", docBuild2); got != own+"component/demo/1.0.0/3" {
			t.Errorf("after the deletion of build 2: %s", got)
		}
	},
	"I12": func(t *testing.T) {
		s := start(t)
		s.createComponent("demo", "1.0.0", docBuild)
		s.refused(404, notFound, "GET", "/GetComponent?componentBuildVersionArn="+strings.Replace(own, region, "eu-west-1", 1)+"component/demo/1.0.0/1", nil)
	},
	"I13": func(t *testing.T) {
		got := start(t).getWorkflow(managed + "workflow/build/build-image/x.x.x")
		want := obj{"latestVersionArn": managed + "workflow/build/build-image/x.x.x"}
		if diff := cmp.Diff(want, got["latestVersionReferences"]); diff != "" {
			t.Errorf("latestVersionReferences (-want +got):\n%s", diff)
		}
	},
}

var tokenCases = cases{
	"T1": func(t *testing.T) {
		s := start(t)
		first := s.must("PUT", "/CreateInfrastructureConfiguration", tokenRequest())
		second := s.must("PUT", "/CreateInfrastructureConfiguration",
			`{"tags":{"b":"2","a":"1"},"description":null,"name":"infra","clientToken":"token-1","instanceProfileName":"profile"}`)
		if first["infrastructureConfigurationArn"] != second["infrastructureConfigurationArn"] || second["clientToken"] != "token-1" || first["requestId"] == second["requestId"] {
			t.Errorf("first = %v, second = %v", first, second)
		}
		if list := s.must("POST", "/ListInfrastructureConfigurations", nil)["infrastructureConfigurationSummaryList"].([]any); len(list) != 1 {
			t.Errorf("ListInfrastructureConfigurations = %v", list)
		}
	},
	"T2": func(t *testing.T) {
		s := start(t)
		in := tokenRequest()
		s.must("PUT", "/CreateInfrastructureConfiguration", in)
		in["description"] = "x"
		s.refused(400, "IdempotentParameterMismatchException", "PUT", "/CreateInfrastructureConfiguration", in, "token-1")
	},
	"T3": func(t *testing.T) {
		s := start(t)
		first := s.must("PUT", "/CreateInfrastructureConfiguration", tokenRequest())
		target := "?infrastructureConfigurationArn=" + own + "infrastructure-configuration/infra"
		s.must("DELETE", "/DeleteInfrastructureConfiguration"+target, nil)
		third := s.must("PUT", "/CreateInfrastructureConfiguration", tokenRequest())
		delete(first, "requestId")
		delete(third, "requestId")
		if diff := cmp.Diff(first, third); diff != "" {
			t.Errorf("the answer again (-first +third):\n%s", diff)
		}
		s.refused(404, notFound, "GET", "/GetInfrastructureConfiguration"+target, nil)
	},
	"T4": func(t *testing.T) {
		known := ingot.Externals{ingot.ExternalInstanceProfile: nil}
		s := start(t, withExternal(known))
		in := obj{"name": "infra", "instanceProfileName": "profile", "clientToken": "t"}
		s.refused(400, invalid, "PUT", "/CreateInfrastructureConfiguration", in, "instance profile does not exist")
		known[ingot.ExternalInstanceProfile] = []string{"profile"}
		s.must("PUT", "/CreateInfrastructureConfiguration", in)
	},
	"T5": func(t *testing.T) {
		s := start(t)
		in := component("dry", "1.0.0", docBuild)
		in["dryRun"], in["clientToken"] = true, "t"
		s.refused(412, "DryRunOperationException", "PUT", "/CreateComponent", in, "Request would have succeeded, but dryRun flag is set.")
		if list := s.must("POST", "/ListComponents", nil)["componentVersionList"].([]any); len(list) != 0 {
			t.Errorf("a dry run left %v", list)
		}
		in["dryRun"] = false
		if got := s.must("PUT", "/CreateComponent", in)["componentBuildVersionArn"]; got != own+"component/dry/1.0.0/1" {
			t.Errorf("the first build is %v", got)
		}
	},
	"T6": func(t *testing.T) {
		in := component("dry", "1.0.0", "a: [")
		in["dryRun"] = true
		start(t).refused(400, invalid, "PUT", "/CreateComponent", in, "'data'")
	},
}

func tokenRequest() obj {
	return obj{"name": "infra", "instanceProfileName": "profile", "clientToken": "token-1", "tags": obj{"a": "1", "b": "2"}}
}
