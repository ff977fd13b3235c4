package api_test

import (
	"strings"
	"testing"

	"ingot.dev/ingot/model"
)

// TestMessages checks the texts that clients are known to match on.
// Source: api.md §1.5.
func TestMessages(t *testing.T) {
	w := newWorld(t)
	without := func(r request, names ...string) obj {
		in := clone(r.in).(obj)
		for _, n := range names {
			delete(in, n)
		}
		return in
	}
	kinds := map[string]struct{ kind, arn string }{
		"CreateComponent":                   {"Component", own + "component/new-component/1.2.3/1"},
		"ImportComponent":                   {"Component", own + "component/script/1.2.3/1"},
		"CreateImageRecipe":                 {"ImageRecipe", own + "image-recipe/new-recipe/1.0.0"},
		"CreateContainerRecipe":             {"ContainerRecipe", own + "container-recipe/new-box/1.0.0"},
		"CreateWorkflow":                    {"Workflow", own + "workflow/test/new-workflow/1.0.0/1"},
		"CreateInfrastructureConfiguration": {"InfrastructureConfiguration", own + "infrastructure-configuration/new-machines"},
		"CreateDistributionConfiguration":   {"DistributionConfiguration", own + "distribution-configuration/new-regions"},
		"CreateImagePipeline":               {"ImagePipeline", own + "image-pipeline/new-pipeline"},
		"CreateLifecyclePolicy":             {"LifecyclePolicy", own + "lifecycle-policy/new-policy"},
	}
	for _, r := range w.requests() {
		k, creates := kinds[r.operation]
		if !creates {
			continue
		}
		in := without(r)
		if r.operation == "CreateImageRecipe" {
			in["semanticVersion"] = "1.0.0"
		}
		if _, named := routeOf(r.operation).Input.Member("dryRun"); named {
			in["dryRun"] = true
			w.refused(412, "DryRunOperationException", "PUT", "/"+r.operation, in, "Request would have succeeded, but dryRun flag is set.")
			delete(in, "dryRun")
		}
		w.must("PUT", "/"+r.operation, in)
		w.refused(400, exists, "PUT", "/"+r.operation, in, "The following resource '"+k.kind+"' already exists: '"+k.arn+"'.")
	}
	pipeline := w.pipelineOf(obj{"name": "other"})
	delete(pipeline, "executionRole")
	delete(pipeline, "loggingConfiguration") // its group would need the role first
	w.refused(400, invalidRequest, "PUT", "/CreateImagePipeline", pipeline, "An execution role is required to provide workflows")
	scanned := w.pipelineOf(obj{"name": "other", "imageScanningConfiguration": obj{"imageScanningEnabled": true}})
	w.refused(400, invalidRequest, "PUT", "/CreateImagePipeline", scanned, "Amazon Inspector is not enabled")
	w.refused(400, invalid, "PUT", "/CreateDistributionConfiguration", obj{"name": "bare", "distributions": []obj{{"region": region}}},
		"The value supplied for parameter 'distributions[0]' is not valid.", "at least one output")
	w.refused(400, invalid, "PUT", "/CreateComponent", component("bad", "1.0.0", docBadStep), "The value supplied for parameter 'data' is not valid.", "Install PowerShell", "build")
	w.refused(404, notFound, "GET", "/GetImagePipeline?imagePipelineArn="+own+"image-pipeline/none", nil, "The resource with ARN '"+own+"image-pipeline/none' does not exist.")
}

// TestVersionsAreNumbers checks that leading zeros are text and compare as
// numbers. Source: api.md §2.4.
func TestVersionsAreNumbers(t *testing.T) {
	s := withCatalogue(t)
	first := s.createComponent("dated", "2019.012.03", docBuild)
	if first != own+"component/dated/2019.012.03/1" || s.getComponent(first)["version"] != "2019.012.03" {
		t.Errorf("%s is %v", first, s.getComponent(first))
	}
	for _, version := range []string{"2019.12.3", "02019.12.03", "2019.12.3/1", "2019.12.x"} {
		if got := s.getComponent(own + "component/dated/" + version)["arn"]; got != first {
			t.Errorf("GetComponent %s = %v", version, got)
		}
	}
	s.refused(400, exists, "PUT", "/CreateComponent", component("dated", "2019.12.3", docBuild), first)
	s.must("PUT", "/CreateImageRecipe", recipe("dated", "1.0.00", nil))
	s.refused(400, exists, "PUT", "/CreateImageRecipe", recipe("dated", "1.0.0", nil), "image-recipe/dated/1.0.00")
	if next := s.createComponent("dated", "2019.12.3", docBuild2); !strings.HasSuffix(next, "/2") {
		t.Errorf("the second build is %s", next)
	}
}

// TestNamesAreOne checks that names which differ in case, blank, underscore or
// hyphen are one resource, and keep their spelling. Source: api.md §2.3.
func TestNamesAreOne(t *testing.T) {
	s := start(t)
	s.createComponent("My_Test Comp", "1.0.0", docBuild)
	second := s.createComponent("my-test_comp", "1.1.0", docBuild)
	if second != own+"component/my-test-comp/1.1.0/1" || s.getComponent(second)["name"] != "my-test_comp" {
		t.Errorf("the later version is %v", s.getComponent(second))
	}
	for name, versions := range map[string]int{"my-test-comp": 2, "My_Test Comp": 1, "my-test_comp": 1, "MY-TEST-COMP": 0, "my-test": 0} {
		list := s.must("POST", "/ListComponents", obj{"filters": []obj{filter("name", name)}})["componentVersionList"].([]any)
		if len(list) != versions {
			t.Errorf("filter %q lists %d versions, want %d: %v", name, len(list), versions, list)
		}
	}
}

// TestFilters checks the rules of filters: values are alternatives, entries
// all apply, versions may be partial. Source: api.md §3.14.
func TestFilters(t *testing.T) {
	s := start(t)
	for _, c := range [][2]string{{"alpha", "1.0.0"}, {"alpha", "1.2.0"}, {"beta", "1.2.3"}, {"beta", "2.0.0"}} {
		in := component(c[0], c[1], docBuild)
		in["description"], in["supportedOsVersions"] = "the "+c[0], []string{"Debian 12", c[0] + " OS"}
		s.must("PUT", "/CreateComponent", in)
	}
	for title, c := range map[string]struct {
		filters []obj
		want    int
	}{
		"none":                  {nil, 4},
		"one name":              {[]obj{filter("name", "alpha")}, 2},
		"two names":             {[]obj{filter("name", "alpha", "beta")}, 4},
		"name and version":      {[]obj{filter("name", "alpha"), filter("version", "1.2.0")}, 1},
		"the same filter twice": {[]obj{filter("name", "alpha"), filter("name", "beta")}, 0},
		"major":                 {[]obj{filter("version", "1")}, 3},
		"minor":                 {[]obj{filter("version", "1.2")}, 2},
		"wildcard":              {[]obj{filter("version", "1.x.x")}, 3},
		"minor wildcard":        {[]obj{filter("version", "1.2.x")}, 2},
		"leading zeros":         {[]obj{filter("version", "1.02")}, 2},
		"no version":            {[]obj{filter("version", "nonsense")}, 0},
		"versions":              {[]obj{filter("version", "1.0.0", "2")}, 2},
		"description":           {[]obj{filter("description", "the alpha")}, 2},
		"part of a description": {[]obj{filter("description", "alpha")}, 0},
		"any element":           {[]obj{filter("supportedOsVersion", "beta OS")}, 2},
		"a prefix":              {[]obj{filter("supportedOsVersion", "Debian")}, 0},
		"case":                  {[]obj{filter("platform", "linux")}, 0},
		"status":                {[]obj{filter("status", "ACTIVE", "DEPRECATED")}, 4},
		"type":                  {[]obj{filter("type", "TEST")}, 0},
		"product codes":         {[]obj{filter("productCodes", "x")}, 0},
	} {
		t.Run(title, func(t *testing.T) {
			s := *s
			s.t = t
			in := obj{}
			if c.filters != nil {
				in["filters"] = c.filters
			}
			if list := s.must("POST", "/ListComponents", in)["componentVersionList"].([]any); len(list) != c.want {
				t.Errorf("%d versions, want %d: %v", len(list), c.want, list)
			}
		})
	}
}

// TestOwners checks the views of owner. Source: api.md §3.14.
func TestOwners(t *testing.T) {
	w := newWorld(t)
	w.putManaged("update-linux", "1.0.0", model.PlatformLinux, model.ComponentStatusActive)
	for operation, c := range map[string]struct {
		member string
		count  map[string]int // by owner; -1: refused
	}{
		"ListComponents":       {"componentVersionList", map[string]int{"Self": 1, "Shared": 0, "Amazon": 1, "ThirdParty": 0, "AWSMarketplace": 0}},
		"ListImages":           {"imageVersionList", map[string]int{"Self": 1, "Shared": 0, "Amazon": 1, "ThirdParty": 0, "AWSMarketplace": 0}},
		"ListImageRecipes":     {"imageRecipeSummaryList", map[string]int{"Self": 1, "Shared": 0, "Amazon": 0, "ThirdParty": 0, "AWSMarketplace": 0}},
		"ListContainerRecipes": {"containerRecipeSummaryList", map[string]int{"Self": 1, "Shared": 0, "Amazon": 0, "ThirdParty": 0, "AWSMarketplace": 0}},
		"ListWorkflows":        {"workflowVersionList", map[string]int{"Self": 1, "Shared": -1, "Amazon": 8, "ThirdParty": -1, "AWSMarketplace": 0}},
	} {
		for owner, want := range c.count {
			if want < 0 {
				w.refused(400, invalid, "POST", "/"+operation, obj{"owner": owner}, "'owner'")
				continue
			}
			list := w.must("POST", "/"+operation, obj{"owner": owner})[c.member].([]any)
			if len(list) != want && (want < 8 || len(list) == 0) {
				t.Errorf("%s of %s lists %d, want %d: %v", operation, owner, len(list), want, list)
			}
		}
		self, absent := w.must("POST", "/"+operation, obj{"owner": "Self"}), w.must("POST", "/"+operation, nil)
		if len(self[c.member].([]any)) != len(absent[c.member].([]any)) {
			t.Errorf("%s without owner is not Self: %v", operation, absent)
		}
	}
}
