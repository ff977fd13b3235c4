package api_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/model"
)

// documentCases are the cases that an API alone can show of workflows.md §13
// (WF), lifecycle.md §6 (LC), containers.md §7 (CT), distribution.md §13 (DI),
// scanning-and-sbom.md §8 (SC), import-export.md §7 (IE) and
// recipes-and-infrastructure.md (RI). Those of the same
// documents that need a build are tests of the builder.
var documentCases = cases{
	"WF-1": func(t *testing.T) {
		start(t).refused(400, invalid, "PUT", "/CreateWorkflow", flow("share", "1.0.0", model.WorkflowTypeBuild, flowModify, nil), "'data'", "step 'Share'", "BUILD")
	},
	"WF-2": func(t *testing.T) {
		s := start(t)
		many := "schemaVersion: 1.0\nsteps:\n"
		for _, letter := range "abcdefghijklmnop" {
			many += "  - name: step-" + string(letter) + "\n    action: WaitForAction\n"
		}
		s.refused(400, invalid, "PUT", "/CreateWorkflow", flow("many", "1.0.0", model.WorkflowTypeTest, many, nil), "15")
		const agent = "schemaVersion: 1.0\nsteps:\n  - name: Wait\n    action: WaitForSSMAgent\n    inputs: {instanceId: i-0123456789abcdef0}\n    timeoutSeconds: "
		s.refused(400, invalid, "PUT", "/CreateWorkflow", flow("long", "1.0.0", model.WorkflowTypeTest, agent+"10801\n", nil), "10800")
		s.createWorkflow(flow("long", "1.0.0", model.WorkflowTypeTest, agent+"10800\n", nil))
	},
	"WF-3": func(t *testing.T) {
		s := start(t)
		first := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeTest, flowWait, obj{"clientToken": "one"}))
		s.refused(400, exists, "PUT", "/CreateWorkflow", flow("wait", "1.0.0", model.WorkflowTypeTest, flowWait, obj{"clientToken": "two"}), first)
		if got := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeTest, flowWait2, nil)); got != own+"workflow/test/wait/1.0.0/2" {
			t.Errorf("the changed document is %s", got)
		}
	},
	"WF-4": func(t *testing.T) { // the refusal; the value in a step is of the builder
		f := newFactory(t)
		refusedImage(f, invalidRequest, "'retries'", obj{
			"workflowArn": f.createWorkflow(flow("params", "1.0.0", model.WorkflowTypeTest, flowParameters, nil)),
			"parameters":  []obj{{"name": "notice", "value": []string{"n"}}, {"name": "retries", "value": []string{"x"}}},
		})
	},
	"WF-6": func(t *testing.T) {
		s := start(t)
		leaf := "{booleanEquals: true, value: true}"
		for title, condition := range map[string]string{
			"five levels":  "{not: {not: {not: {not: " + leaf + "}}}}",
			"11 children":  "{or: [" + strings.Repeat(leaf+", ", 10) + leaf + "]}",
			"not with two": "{not: [" + leaf + ", " + leaf + "]}",
		} {
			document := flowWait + "    if: " + condition + "\n"
			if a := s.call("PUT", "/CreateWorkflow", flow("conditions", "1.0.0", model.WorkflowTypeTest, document, nil)); a.exception() != invalid || !strings.Contains(a.message(), "steps[0].if") {
				t.Errorf("%s = %d %s", title, a.Status, a.message())
			}
		}
	},
	"WF-14": func(t *testing.T) {
		f := newFactory(t)
		refusedImage(f, combination, "'parallelGroup'", obj{
			"workflowArn": f.createWorkflow(flow("spread", "1.0.0", model.WorkflowTypeDistribution, flowWait, nil)), "parallelGroup": "one",
		})
	},
	"WF-15": func(t *testing.T) { // the duplicate name; the run is of the builder
		f := newFactory(t)
		refusedImage(f, invalidRequest, "'imgId'",
			obj{"workflowArn": f.createWorkflow(flow("build", "1.0.0", model.WorkflowTypeBuild, flowOutput, nil))},
			obj{"workflowArn": f.createWorkflow(flow("again", "1.0.0", model.WorkflowTypeTest, flowOutput, nil))})
	},

	"LC-1":  otherCases["L2"],
	"LC-12": disabledAndBack,
	"LC-13": func(t *testing.T) {
		s := start(t)
		available, box := s.putOwnImage("1", "AVAILABLE", "AMI"), s.putOwnImage("2", "AVAILABLE", "DOCKER")
		past := obj{"updateAt": float64(time.Now().Add(-time.Second).Unix())}
		s.refused(400, invalid, "PUT", "/StartResourceStateUpdate", stateUpdate(available, "DEPRECATED", past), "'updateAt'")
		s.refused(400, combination, "PUT", "/StartResourceStateUpdate", stateUpdate(available, "DELETED", nil), "'includeResources'")
		s.refused(400, invalid, "PUT", "/StartResourceStateUpdate", stateUpdate(box, "DISABLED", nil), "'state.status'")
	},

	"CT-1": refusedBox(invalid, "imagebuilder:environments", uses(managed+"component/update-linux/x.x.x")),
	"CT-2": refusedBox(invalid, "before", joined(uses(managed+"component/update-linux/x.x.x"),
		obj{"dockerfileTemplateData": "{{{imagebuilder:parentImage}}}{{{imagebuilder:components}}}{{{imagebuilder:environments}}}"})),
	"CT-3": func(t *testing.T) { // it is stored; the build is of the builder
		start(t).createContainerRecipe("web", "1.0.0", obj{"dockerfileTemplateData": "FROM {{{imagebuilder:parentImage}}}\nRUN true\n"})
	},
	"CT-4": func(t *testing.T) {
		refusedBox(combination, "dockerfileTemplateUri", obj{"dockerfileTemplateUri": "s3://bucket/key"})(t)
		refusedBox(combination, "dockerfileTemplateUri", obj{"dockerfileTemplateData": nil})(t)
	},
	"CT-5": func(t *testing.T) {
		refusedBox(combination, "platformOverride", obj{"parentImage": managed + "image/box/x.x.x", "platformOverride": "Linux"})(t)
		refusedBox(invalid, "'platformOverride'", obj{"platformOverride": "macOS"})(t)
		refusedBox(combination, "imageOsVersionOverride", obj{"platformOverride": "Windows"})(t)
	},
	"CT-6": refusedBox(invalid, "'dockerfileTemplateData'", obj{"dockerfileTemplateData": plainTemplate + strings.Repeat("#", 16_001-len(plainTemplate))}),
	"CT-7": func(t *testing.T) {
		s := start(t)
		for _, want := range []string{"2.1.0", "2.1.1", "2.1.2"} {
			if got := s.createContainerRecipe("web", "2.1.x", nil); got != own+"container-recipe/web/"+want {
				t.Errorf("allocated %s, want %s", got, want)
			}
		}
	},

	"DI-1": refusedDistribution(invalid, "buildDate", obj{"region": region, "amiDistributionConfiguration": obj{"name": "base-linux"}}),
	"DI-10": func(t *testing.T) {
		f := newFactory(t)
		f.must("PUT", "/CreateImageRecipe", recipe("marked", "1.0.0", obj{"amiWatermarks": []string{"ours"}}))
		public := obj{"region": region, "amiDistributionConfiguration": obj{"launchPermission": obj{"userGroups": []string{"all"}}}}
		dist := f.must("PUT", "/CreateDistributionConfiguration", obj{"name": "public", "distributions": []obj{public}})["distributionConfigurationArn"]
		f.refused(400, combination, "PUT", "/CreateImage", obj{
			"imageRecipeArn": own + "image-recipe/marked/1.0.0", "infrastructureConfigurationArn": f.infra, "distributionConfigurationArn": dist,
		}, "atermark")
	},
	"DI-11": refusedDistribution(combination, otherAccount, obj{"region": region, "ssmParameterConfigurations": []obj{{"parameterName": "/a", "amiAccountId": otherAccount}}}),
	"DI-12": func(t *testing.T) {
		six := make([]obj, 6)
		for n := range six {
			six[n] = obj{"launchTemplateId": "lt-0123456789abcdef0"}
		}
		start(t).refused(402, "ServiceQuotaExceededException", "PUT", "/CreateDistributionConfiguration",
			obj{"name": "dist", "distributions": []obj{{"region": region, "launchTemplateConfigurations": six}}}, "5")
	},

	"RI-2": refusedRecipe(400, invalid, obj{"parentImage": "debian-12"}, "'parentImage'"),
	"RI-3": func(t *testing.T) {
		s := withCatalogue(t)
		for _, c := range [][2]string{{"3.4.x", "3.4.0"}, {"3.4.x", "3.4.1"}, {"3.x.x", "3.5.0"}} {
			if got := s.must("PUT", "/CreateImageRecipe", recipe("demo", c[0], nil))["imageRecipeArn"]; got != own+"image-recipe/demo/"+c[1] {
				t.Errorf("%s allocates %v, want %s", c[0], got, c[1])
			}
		}
	},
	"RI-4": func(t *testing.T) {
		s := withCatalogue(t)
		first, second := s.createComponent("tool", "1.0.0", docBuild), s.createComponent("tool", "1.1.0", docBuild)
		s.refused(400, invalid, "PUT", "/CreateImageRecipe", recipe("demo", "1.0.0", uses(first, second)), "components[1]")
	},
	"RI-5": func(t *testing.T) {
		s := withCatalogue(t)
		in := recipe("demo", "1.0.0", uses(managed+"component/update-linux/x.x.x"))
		in["parentImage"] = managed + "image/win/x.x.x"
		s.refused(400, invalid, "PUT", "/CreateImageRecipe", in, "components[0].componentArn", "Windows")
	},
	"RI-6": func(t *testing.T) {
		s := start(t)
		for title, c := range map[string]struct {
			more      obj
			exception string
		}{
			"subnet alone":  {obj{"subnetId": "subnet-1"}, combination},
			"reserved tag":  {obj{"resourceTags": obj{"Name": "x"}}, invalid},
			"host, default": {obj{"placement": obj{"hostId": "h-1", "tenancy": "default"}}, combination},
			"FIFO topic":    {obj{"snsTopicArn": "arn:aws:sns:us-east-1:" + account + ":topic.fifo"}, invalid},
		} {
			if a := s.call("PUT", "/CreateInfrastructureConfiguration", joined(obj{"name": "infra", "instanceProfileName": "profile"}, c.more)); a.exception() != c.exception {
				t.Errorf("%s = %d %s %s", title, a.Status, a.exception(), a.message())
			}
		}
	},

	"SC-1": func(t *testing.T) {
		f := newFactory(t)
		arn := f.build()
		findings := f.must("POST", "/ListImageScanFindings", obj{"filters": []obj{filter("imageBuildVersionArn", arn)}})["findings"].([]any)
		if _, has := f.getImage(arn)["scanState"]; has || len(findings) != 0 {
			t.Errorf("the image is %v, with the findings %v", f.getImage(arn), findings)
		}
	},
	"SC-3": func(t *testing.T) {
		s := start(t)
		s.refused(400, invalid, "POST", "/ListImageScanFindings", obj{"filters": []obj{filter("severity", "HIGH", "LOW")}}, "'filters[0].values'")
		s.refused(400, invalid, "POST", "/ListImageScanFindings", obj{"filters": []obj{filter("severity", "HIGH"), filter("severity", "LOW")}}, "'filters'")
	},
	"SC-5": func(t *testing.T) {
		answer := start(t).must("POST", "/ListImageScanFindingAggregations", nil)
		if rows := answer["responses"].([]any); answer["aggregationType"] != "accountId" || len(rows) != 1 {
			t.Errorf("ListImageScanFindingAggregations = %v", answer)
		}
	},

	"IE-4": func(t *testing.T) {
		s := start(t)
		in := obj{"name": "demo", "semanticVersion": "1.0.0", "platform": "Linux", "vmImportTaskId": "import-ami-nope"}
		s.refused(400, "ClientException", "PUT", "/ImportVmImage", in, "'vmImportTaskId'")
		in["vmImportTaskId"], in["semanticVersion"] = vmImportTask, "1.x.x"
		s.refused(400, "ClientException", "PUT", "/ImportVmImage", in, "1.x.x")
	},
	"IE-6": func(t *testing.T) {
		f := newFactory(t)
		for _, changes := range []obj{
			{"platform": "Linux"},
			{"uri": "s3://bucket/win.img"},
			{"windowsConfiguration": obj{"imageIndex": 0}},
			{"registerImageOptions": obj{"uefiData": "AA==", "secureBootEnabled": false}},
		} {
			f.refused(400, "ClientException", "PUT", "/ImportDiskImage", joined(windows(f), changes))
		}
	},
	"IE-7": func(t *testing.T) { // it passes all checks
		f := newFactory(t)
		f.refused(501, notImplemented, "PUT", "/ImportDiskImage", joined(windows(f), obj{"uri": "s3://bucket/w11.Iso"}))
	},
	"IE-9": func(t *testing.T) {
		s := start(t)
		in := obj{"name": "script", "semanticVersion": "1.0.0", "format": "SHELL", "type": "TEST", "platform": "Linux", "data": strings.Repeat("#", 1025)}
		s.refused(400, invalid, "PUT", "/ImportComponent", in, "'data'")
		in["data"], in["uri"] = "true", "s3://bucket/key"
		s.refused(400, combination, "PUT", "/ImportComponent", in, "'data'", "'uri'")
	},
	"IE-13": func(t *testing.T) {
		start(t).refused(403, "ForbiddenException", "POST", "/GetMarketplaceResource",
			obj{"resourceType": "COMPONENT_DATA", "resourceArn": "arn:aws:imagebuilder:us-east-1:aws-marketplace:component/c/1.0.0/1"})
	},
}

// documentsElsewhere are the cases of workflows.md §13 and lifecycle.md §6 that
// are, or are also, other tests.
var documentsElsewhere = map[string]string{
	"WF-4":  "TestWF4TypedParameters of package build, beside the refusal here",
	"WF-5":  "TestWF5Condition of package build",
	"WF-7":  "TestWF7Abort of package build",
	"WF-8":  "TestWF8Continue of package build",
	"WF-9":  "TestWF9Retry of package build",
	"WF-10": "TestWF10Approval of package build",
	"WF-11": "TestWF11Refusal of package build",
	"WF-12": "TestWF12Groups of package build",
	"WF-13": "TestWF13FiveAtATime of package build",
	"WF-15": "TestWF15Outputs of package build, beside the refusal here",

	"LC-2":  "TestLC2RecipesAreSelected of package lifecycle",
	"LC-3":  "TestLC2RecipesAreSelected of package lifecycle",
	"LC-4":  "TestDecideLifecycle of the root package",
	"LC-5":  "TestDecideLifecycle of the root package",
	"LC-6":  "TestLC6OneActionPerRun of package lifecycle",
	"LC-7":  "TestDecideLifecycle of the root package",
	"LC-8":  "TestDecideLifecycle of the root package",
	"LC-9":  "TestLC9ExcludedAMIKeepsItsImage of package lifecycle",
	"LC-10": "TestLC10GoneByHand of package lifecycle",
	"LC-11": "container images in repositories: not built",
	"LC-14": "TestLC14Cancel of package lifecycle",
	"LC-15": "TestLC15SelectionIsOfTheStart of package lifecycle",
}

// TestDocumentConformance runs the cases of the other documents by number. One
// of workflows.md or lifecycle.md that is neither here nor elsewhere fails.
func TestDocumentConformance(t *testing.T) {
	for number, test := range documentCases {
		t.Run(number, test)
	}
	checkElsewhere(t, documentsElsewhere)
	for _, letters := range []string{"WF", "LC"} {
		for n := 1; n <= 15; n++ {
			number := fmt.Sprint(letters, "-", n)
			if documentCases[number] == nil && documentsElsewhere[number] == "" {
				t.Errorf("case %s has no test", number)
			}
		}
	}
}

// refusedImage asks for an image with workflows that it may not have.
func refusedImage(f *factory, exception, part string, workflows ...obj) {
	f.t.Helper()
	f.refused(400, exception, "PUT", "/CreateImage", obj{
		"imageRecipeArn": f.recipe, "infrastructureConfigurationArn": f.infra, "executionRole": role, "workflows": workflows,
	}, part)
}

// refusedBox is a case of a container recipe that is not made.
func refusedBox(exception, part string, changes obj) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		withCatalogue(t).refused(400, exception, "PUT", "/CreateContainerRecipe", containerRecipe("bad", "1.0.0", changes), part)
	}
}

// windows is an ImportDiskImage request.
func windows(f *factory) obj {
	return obj{
		"name": "demo", "semanticVersion": "1.0.0", "platform": "Windows", "osVersion": "Microsoft Windows 11",
		"infrastructureConfigurationArn": f.infra, "uri": "s3://bucket/w11.ISO",
	}
}

func joined(objects ...obj) obj {
	all := obj{}
	for _, o := range objects {
		maps.Copy(all, o)
	}
	return all
}
