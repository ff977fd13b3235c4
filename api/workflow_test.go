package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Workflow documents.
const (
	flowWait = `schemaVersion: 1.0
steps:
  - name: Wait
    action: WaitForAction
`
	flowWait2      = flowWait + "    description: for the operator\n"
	flowParameters = `schemaVersion: 1.0
parameters:
  - name: retries
    type: integer
    default: 3
    description: how often
  - name: labels
    type: stringList
    default: [a, b]
  - name: dry
    type: boolean
    default: False
  - name: notice
` + "steps:\n  - name: Wait\n    action: WaitForAction\n"
	flowOutput = flowWait + "outputs:\n  - name: imgId\n    value: ami-1\n"
	flowModify = `schemaVersion: 1.0
steps:
  - name: Share
    action: ModifyImageAttributes
    inputs:
      distributedImages.$: $.stepOutputs.Copy.distributedImages
`
)

// flow is a CreateWorkflow request with changes.
func flow(name, version string, kind model.WorkflowType, data string, changes obj) obj {
	in := obj{"name": name, "semanticVersion": version, "type": kind, "data": data}
	for k, v := range changes {
		if in[k] = v; v == nil {
			delete(in, k)
		}
	}
	return in
}

func (s *server) createWorkflow(in obj) string {
	s.t.Helper()
	arn, _ := s.must("PUT", "/CreateWorkflow", in)["workflowBuildVersionArn"].(string)
	return arn
}

func (s *server) getWorkflow(arn string) map[string]any {
	s.t.Helper()
	return s.must("GET", "/GetWorkflow?workflowBuildVersionArn="+url.QueryEscape(arn), nil)
}

func TestWorkflow(t *testing.T) { // W9, I1 for workflows
	s := start(t)
	in := flow("My Flow_v2", "1.2.3", model.WorkflowTypeTest, flowParameters, obj{
		"description": "Waits", "changeDescription": "first", "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:alias/key",
		"tags": obj{"a": "b"}, "clientToken": "one",
	})
	a := s.call("PUT", "/CreateWorkflow", in)
	if _, has := a.Body["requestId"]; has || a.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("requestId in the body: %v, in the header: %q", has, a.Header.Get("X-Amzn-Requestid"))
	}
	arn := own + "workflow/test/my-flow-v2/1.2.3/1"
	references := obj{
		"latestVersionArn":      own + "workflow/test/my-flow-v2/x.x.x",
		"latestMajorVersionArn": own + "workflow/test/my-flow-v2/1.x.x",
		"latestMinorVersionArn": own + "workflow/test/my-flow-v2/1.2.x",
		"latestPatchVersionArn": own + "workflow/test/my-flow-v2/1.2.3",
	}
	want := obj{"clientToken": "one", "workflowBuildVersionArn": arn, "latestVersionReferences": references}
	if diff := cmp.Diff(want, a.Body); diff != "" {
		t.Errorf("CreateWorkflow (-want +got):\n%s", diff)
	}
	if again := s.must("PUT", "/CreateWorkflow", in); !cmp.Equal(again, a.Body) {
		t.Errorf("the same client token answers %v, not %v", again, a.Body)
	}
	got := s.getWorkflow(own + "workflow/test/my-flow-v2/x.x.x")
	w, _ := got["workflow"].(map[string]any)
	date, _ := w["dateCreated"].(string)
	if !strings.HasSuffix(date, "Z") {
		t.Errorf("dateCreated = %q", date)
	}
	want = obj{"latestVersionReferences": references, "workflow": obj{
		"arn": arn, "name": "My Flow_v2", "version": "1.2.3", "type": "TEST", "owner": account, "data": flowParameters,
		"description": "Waits", "changeDescription": "first", "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:alias/key",
		"tags": obj{"a": "b"}, "dateCreated": date,
		"parameters": []any{
			obj{"name": "retries", "type": "integer", "defaultValue": []any{"3"}, "description": "how often"},
			obj{"name": "labels", "type": "stringList", "defaultValue": []any{"a", "b"}},
			obj{"name": "dry", "type": "boolean", "defaultValue": []any{"False"}},
			obj{"name": "notice", "type": "string"},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GetWorkflow (-want +got):\n%s", diff)
	}
}

func TestWorkflowBuilds(t *testing.T) { // WF-3, I2 to I6, I11 for workflows
	s := start(t)
	first := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait, nil))
	s.refused(400, exists, "PUT", "/CreateWorkflow", flow("Wait", "1.0.00", model.WorkflowTypeBuild, flowWait, obj{"tags": obj{"a": "b"}}),
		"The following resource 'Workflow' already exists: '"+first+"'.")
	second := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait2, nil))
	if want := own + "workflow/build/wait/1.0.0/2"; second != want {
		t.Fatalf("a changed document is %s, want %s", second, want)
	}
	for _, changes := range []obj{{"description": "x"}, {"changeDescription": "x"}, {"kmsKeyId": "key"}} {
		other := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait2, changes))
		s.must("DELETE", "/DeleteWorkflow?workflowBuildVersionArn="+url.QueryEscape(other), nil)
	}
	if arn := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeTest, flowWait, nil)); arn != own+"workflow/test/wait/1.0.0/1" {
		t.Errorf("the same name of another type is %s", arn)
	}
	s.createWorkflow(flow("wait", "1.1.0", model.WorkflowTypeBuild, flowWait, nil))
	for arn, want := range map[string]string{"1.0.0": "1.0.0/2", "1.0.x": "1.0.0/2", "1.x.x": "1.1.0/1", "x.x.x": "1.1.0/1", "1.0.0/1": "1.0.0/1"} {
		if got := dig(s.getWorkflow(own+"workflow/build/wait/"+arn), "workflow", "arn"); got != own+"workflow/build/wait/"+want {
			t.Errorf("GetWorkflow %s = %v, want %s", arn, got, want)
		}
	}
	s.must("DELETE", "/DeleteWorkflow?workflowBuildVersionArn="+url.QueryEscape(second), nil)
	s.refused(404, notFound, "GET", "/GetWorkflow?workflowBuildVersionArn="+url.QueryEscape(second), nil, second)
	s.refused(404, notFound, "DELETE", "/DeleteWorkflow?workflowBuildVersionArn="+url.QueryEscape(second), nil, second)
	if arn := s.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait2, nil)); !strings.HasSuffix(arn, "/1.0.0/6") {
		t.Errorf("the build after five is %s", arn)
	}
}

func TestWorkflowRefusals(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		changes   obj
		exception string
		parts     []string
	}{
		"dry run":              {obj{"dryRun": true}, "DryRunOperationException", []string{"Request would have succeeded, but dryRun flag is set."}},
		"data and uri":         {obj{"uri": "s3://b/k"}, combination, []string{"'data'", "'uri'"}},
		"no document":          {obj{"data": nil}, combination, nil},
		"uri":                  {obj{"data": nil, "uri": "s3://b/k"}, invalid, []string{"'uri'", "s3://b/k"}},
		"long data":            {obj{"data": strings.Repeat("#", 16001)}, invalid, []string{"'data'"}},
		"wildcard":             {obj{"semanticVersion": "1.0.x"}, "InvalidVersionNumberException", nil},
		"short version":        {obj{"semanticVersion": "1.0"}, "InvalidVersionNumberException", nil},
		"node out of range":    {obj{"semanticVersion": "1.0.1073741824"}, "InvalidVersionNumberException", nil},
		"type":                 {obj{"type": "DEPLOY"}, invalid, []string{"'type'"}},
		"no type":              {obj{"type": nil}, "InvalidParameterException", []string{"'type'"}},
		"reserved tag":         {obj{"tags": obj{"aws:a": "b"}}, invalid, []string{"'tags'"}},
		"invalid document":     {obj{"data": "schemaVersion: 1.0\nsteps: []\n"}, invalid, []string{"'data'", "2:8: steps: "}},
		"action of a stage":    {obj{"data": flowModify}, invalid, []string{"'data'", "step 'Share'", "BUILD"}}, // WF-1
		"empty description":    {obj{"description": ""}, invalid, []string{"'description'"}},
		"name of two letters":  {obj{"name": "ab"}, invalid, []string{"'name'"}},
		"many faults, at once": {obj{"data": "schemaVersion: 2.0\nsteps:\n- name: x\n  action: RunComand\n"}, invalid, []string{"1:16:", "3:9:", "4:11:", "did you mean 'RunCommand'?"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			status := 400
			if c.exception == "DryRunOperationException" {
				status = 412
			}
			s.refused(status, c.exception, "PUT", "/CreateWorkflow", flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait, c.changes), c.parts...)
		})
	}
	if list := s.must("POST", "/ListWorkflows", nil)["workflowVersionList"]; !cmp.Equal(list, []any{}) {
		t.Errorf("refused requests have left %v", list)
	}
	for arn, want := range map[string]struct {
		status    int
		exception string
	}{
		own + "workflow/build/wait/1.0.0":                                     {400, invalid},
		managed + "workflow/build/build-image/1.0.0/1":                        {403, "ForbiddenException"},
		own + "workflow/build/wait/1.0.0/1":                                   {404, notFound},
		own + "component/wait/1.0.0/1":                                        {400, invalid},
		strings.Replace(own, "us-", "eu-", 1) + "workflow/build/wait/1.0.0/1": {404, notFound},
	} {
		s.refused(want.status, want.exception, "DELETE", "/DeleteWorkflow?workflowBuildVersionArn="+url.QueryEscape(arn), nil)
	}
	s.refused(400, invalid, "GET", "/GetWorkflow?workflowBuildVersionArn="+url.QueryEscape(own+"workflow/build/wait/x.1.x"), nil)
}

// names are a member of the entries of a list.
func names(list any, member string) []string {
	entries, _ := list.([]any)
	out := []string{}
	for _, e := range entries {
		out = append(out, fmt.Sprint(dig(e, member)))
	}
	return out
}

func TestListWorkflows(t *testing.T) {
	s := start(t)
	create := func(name, version string, kind model.WorkflowType, data string, changes obj) {
		s.createWorkflow(flow(name, version, kind, data, changes))
	}
	create("alpha", "1.0.0", model.WorkflowTypeBuild, flowWait, nil)
	create("alpha", "1.0.0", model.WorkflowTypeBuild, flowWait2, obj{"description": "new", "changeDescription": "better", "tags": obj{"a": "b"}})
	create("alpha", "2.0.0", model.WorkflowTypeBuild, flowWait, nil)
	create("alpha", "1.0.0", model.WorkflowTypeTest, flowWait, nil)
	create("Beta Flow", "1.0.0", model.WorkflowTypeDistribution, flowWait, nil)
	filter := func(name string, values ...string) obj {
		return obj{"filters": []obj{{"name": name, "values": values}}}
	}
	const build, test, beta = own + "workflow/build/alpha/", own + "workflow/test/alpha/", own + "workflow/distribution/beta-flow/"
	for _, c := range []struct {
		in   obj
		want []string
	}{
		{obj{}, []string{build + "2.0.0", build + "1.0.0", test + "1.0.0", beta + "1.0.0"}},
		{obj{"owner": "Self", "byName": true}, []string{build + "x.x.x", test + "x.x.x", beta + "x.x.x"}},
		{obj{"byName": false}, []string{build + "2.0.0", build + "1.0.0", test + "1.0.0", beta + "1.0.0"}},
		{filter("name", "Beta Flow", "none"), []string{beta + "1.0.0"}},
		{filter("version", "1.x.x"), []string{build + "1.0.0", test + "1.0.0", beta + "1.0.0"}},
		{filter("type", "TEST"), []string{test + "1.0.0"}},
		{filter("description", "new"), []string{build + "1.0.0"}},
		{obj{"owner": "AWSMarketplace"}, []string{}},
	} {
		if diff := cmp.Diff(c.want, names(s.must("POST", "/ListWorkflows", c.in)["workflowVersionList"], "arn")); diff != "" {
			t.Errorf("ListWorkflows(%v) (-want +got):\n%s", c.in, diff)
		}
	}
	one := dig(s.must("POST", "/ListWorkflows", filter("description", "new")), "workflowVersionList", 0)
	want := obj{"arn": build + "1.0.0", "name": "alpha", "version": "1.0.0", "description": "new", "type": "BUILD", "owner": account, "dateCreated": dig(one, "dateCreated")}
	if diff := cmp.Diff(any(want), one); diff != "" {
		t.Errorf("an entry of ListWorkflows (-want +got):\n%s", diff)
	}
	s.refused(400, "InvalidRequestException", "POST", "/ListWorkflows", filter("platform", "Linux"))
	s.refused(400, combination, "POST", "/ListWorkflows", obj{"byName": true, "filters": []obj{{"name": "version", "values": []string{"1"}}}})
	for _, owner := range []string{"Shared", "ThirdParty"} {
		s.refused(400, invalid, "POST", "/ListWorkflows", obj{"owner": owner}, "'owner'")
	}

	for arn, want := range map[string][]string{
		"":                                 {build + "2.0.0/1", build + "1.0.0/2", build + "1.0.0/1", test + "1.0.0/1", beta + "1.0.0/1"},
		build + "1.0.0":                    {build + "1.0.0/2", build + "1.0.0/1"},
		build + "x.x.x":                    {build + "2.0.0/1", build + "1.0.0/2", build + "1.0.0/1"},
		build + "3.x.x":                    {},
		own + "workflow/build/gamma/1.0.0": {},
		managed + "workflow/test/test-image/x.x.x": {managed + "workflow/test/test-image/1.0.0/1"},
	} {
		in := obj{}
		if arn != "" {
			in["workflowVersionArn"] = arn
		}
		if diff := cmp.Diff(want, names(s.must("POST", "/ListWorkflowBuildVersions", in)["workflowSummaryList"], "arn")); diff != "" {
			t.Errorf("ListWorkflowBuildVersions %q (-want +got):\n%s", arn, diff)
		}
	}
	entry := dig(s.must("POST", "/ListWorkflowBuildVersions", obj{"workflowVersionArn": build + "1.0.0"}), "workflowSummaryList", 0)
	want = obj{
		"arn": build + "1.0.0/2", "name": "alpha", "version": "1.0.0", "description": "new", "changeDescription": "better",
		"type": "BUILD", "owner": account, "tags": obj{"a": "b"}, "dateCreated": dig(entry, "dateCreated"),
	}
	if diff := cmp.Diff(any(want), entry); diff != "" {
		t.Errorf("an entry of ListWorkflowBuildVersions (-want +got):\n%s", diff)
	}
	s.refused(400, invalid, "POST", "/ListWorkflowBuildVersions", obj{"workflowVersionArn": build + "1.0.0/1"})

	var paged []string
	pages := imagebuilder.NewListWorkflowBuildVersionsPaginator(s.client(), &imagebuilder.ListWorkflowBuildVersionsInput{MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, w := range page.WorkflowSummaryList {
			paged = append(paged, *w.Arn)
		}
	}
	if len(paged) != 5 || len(slices.Compact(slices.Sorted(slices.Values(paged)))) != 5 {
		t.Errorf("pages of two have %v, want the five builds", paged)
	}
}

func TestManagedWorkflows(t *testing.T) { // I13
	s := start(t)
	got := s.getWorkflow(managed + "workflow/build/build-image/x.x.x")
	want := obj{"latestVersionArn": managed + "workflow/build/build-image/x.x.x"}
	if diff := cmp.Diff(any(want), got["latestVersionReferences"]); diff != "" {
		t.Errorf("latestVersionReferences (-want +got):\n%s", diff)
	}
	data, _ := dig(got, "workflow", "data").(string)
	if !strings.Contains(data, "LaunchBuildInstance") || dig(got, "workflow", "owner") != "Amazon" || dig(got, "workflow", "arn") != managed+"workflow/build/build-image/1.0.0/1" {
		t.Errorf("GetWorkflow = %v", got)
	}
	list := names(s.must("POST", "/ListWorkflows", obj{"owner": "Amazon"})["workflowVersionList"], "arn")
	for _, name := range []string{"build/build-image", "test/test-image", "distribution/distribute-image", "build/build-container", "test/test-container", "distribution/distribute-container"} {
		if !slices.Contains(list, managed+"workflow/"+name+"/1.0.0") {
			t.Errorf("ListWorkflows has no %s: %v", name, list)
		}
	}
	// A managed document can be copied.
	s.createWorkflow(flow("copy", "1.0.0", model.WorkflowTypeBuild, data, nil))
}

func TestWorkflowTags(t *testing.T) { // W8
	f := newFactory(t)
	ctx := t.Context()
	arn := f.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait, obj{"tags": obj{"a": "1"}}))
	for _, path := range []string{url.PathEscape(arn), strings.ReplaceAll(url.PathEscape(arn), ":", "%3A")} {
		if a := f.call("POST", "/tags/"+path, obj{"tags": obj{"b": "2"}}); a.Status != 200 || len(a.Body) != 0 {
			t.Errorf("TagResource %s = %d %v", path, a.Status, a.Body)
		}
		if tags := f.must("GET", "/tags/"+path, nil)["tags"]; !cmp.Equal(tags, any(obj{"a": "1", "b": "2"})) {
			t.Errorf("ListTagsForResource %s = %v", path, tags)
		}
	}
	_, err := f.UntagResource(ctx, &imagebuilder.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a"}})
	must(t, err)
	out, err := f.GetWorkflow(ctx, &imagebuilder.GetWorkflowInput{WorkflowBuildVersionArn: &arn})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"b": "2"}, out.Workflow.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestWorkflowsOfAnImage(t *testing.T) { // WF-4, WF-14, WF-15 without the runs
	f := newFactory(t)
	f.createWorkflow(flow("build", "1.0.0", model.WorkflowTypeBuild, flowOutput, nil))
	f.createWorkflow(flow("params", "1.0.0", model.WorkflowTypeTest, flowParameters, nil))
	f.createWorkflow(flow("again", "1.0.0", model.WorkflowTypeTest, flowOutput, nil))
	f.createWorkflow(flow("spread", "1.0.0", model.WorkflowTypeDistribution, flowWait, nil))
	use := func(name string, parameters ...types.WorkflowParameter) types.WorkflowConfiguration {
		return types.WorkflowConfiguration{WorkflowArn: aws.String(own + "workflow/" + name), Parameters: parameters}
	}
	value := func(name string, values ...string) types.WorkflowParameter {
		return types.WorkflowParameter{Name: &name, Value: append([]string{}, values...)}
	}
	notice := value("notice", "x")
	grouped := use("distribution/spread/1.x.x")
	grouped.ParallelGroup = aws.String("one")
	const request = "InvalidRequestException"
	for name, c := range map[string]struct {
		workflows []types.WorkflowConfiguration
		exception string // empty: fine
		part      string
	}{
		"wildcard":            {[]types.WorkflowConfiguration{use("build/build/x.x.x")}, "", ""},
		"version":             {[]types.WorkflowConfiguration{use("build/build/1.0.0")}, "", ""},
		"build":               {[]types.WorkflowConfiguration{use("build/build/1.0.0/1")}, "", ""},
		"only a test":         {[]types.WorkflowConfiguration{use("test/params/1.0.0", notice)}, "", ""},
		"all parameters":      {[]types.WorkflowConfiguration{use("test/params/1.0.0", notice, value("retries", "-5"), value("labels"), value("dry", "TRUE"))}, "", ""},
		"no such version":     {[]types.WorkflowConfiguration{use("build/build/2.x.x")}, notFound, "workflow/build/build/2.x.x"},
		"no such build":       {[]types.WorkflowConfiguration{use("build/build/1.0.0/2")}, notFound, ""},
		"other type":          {[]types.WorkflowConfiguration{use("test/build/1.0.0")}, notFound, ""},
		"no integer":          {[]types.WorkflowConfiguration{use("test/params/1.0.0", notice, value("retries", "x"))}, request, "workflows[0].parameters[1].value[0]"},
		"no boolean":          {[]types.WorkflowConfiguration{use("test/params/1.0.0", notice, value("dry", "no"))}, request, "'dry' is of the type boolean"},
		"two values":          {[]types.WorkflowConfiguration{use("test/params/1.0.0", value("notice", "a", "b"))}, request, "one value, not 2"},
		"long value":          {[]types.WorkflowConfiguration{use("test/params/1.0.0", value("notice", strings.Repeat("x", 1025)))}, request, "1024 characters"},
		"unknown parameter":   {[]types.WorkflowConfiguration{use("test/params/1.0.0", notice, value("other", "x"))}, request, "no parameter 'other'"},
		"parameter twice":     {[]types.WorkflowConfiguration{use("test/params/1.0.0", notice, notice)}, request, "given twice"},
		"missing parameter":   {[]types.WorkflowConfiguration{use("test/params/1.0.0")}, request, "parameter 'notice', which has no default"},
		"same output":         {[]types.WorkflowConfiguration{use("build/build/1.0.0"), use("test/again/1.0.0")}, request, "Both workflows[0] and workflows[1] have an output 'imgId'"},
		"same workflow twice": {[]types.WorkflowConfiguration{use("test/again/1.0.0"), use("test/again/1.0.0")}, request, "output 'imgId'"},
		"grouped":             {[]types.WorkflowConfiguration{grouped}, combination, "'parallelGroup'"},
		"two distributions":   {[]types.WorkflowConfiguration{use("distribution/spread/1.0.0"), use("distribution/spread/1.0.0")}, combination, "DISTRIBUTION"},
		"eleven":              {slices.Repeat([]types.WorkflowConfiguration{use("test/params/1.0.0", notice)}, 11), invalid, "at most 10"},
	} {
		t.Run(name, func(t *testing.T) {
			role := aws.String("arn:aws:iam::111122223333:role/build")
			_, forImage := f.CreateImage(t.Context(), &imagebuilder.CreateImageInput{
				ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra, ExecutionRole: role, Workflows: c.workflows,
			})
			_, forPipeline := f.CreateImagePipeline(t.Context(), &imagebuilder.CreateImagePipelineInput{
				Name: aws.String("p " + name), ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra, ExecutionRole: role, Workflows: c.workflows,
			})
			for doing, err := range map[string]error{"CreateImage": forImage, "CreateImagePipeline": forPipeline} {
				if c.exception == "" {
					must(t, err)
					continue
				}
				wantError(t, doing, err, c.exception)
				if err != nil && !strings.Contains(err.Error(), c.part) {
					t.Errorf("%s: %v, want %q", doing, err, c.part)
				}
			}
		})
	}
}

func TestDeleteWorkflowOfAPipeline(t *testing.T) {
	f := newFactory(t)
	ctx := t.Context()
	first := f.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait, nil))
	second := f.createWorkflow(flow("wait", "1.0.0", model.WorkflowTypeBuild, flowWait2, nil))
	for name, reference := range map[string]string{"exact": first, "loose": own + "workflow/build/wait/1.0.0"} {
		_, err := f.CreateImagePipeline(ctx, &imagebuilder.CreateImagePipelineInput{
			Name: &name, ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra,
			ExecutionRole: aws.String("arn:aws:iam::111122223333:role/build"), Workflows: []types.WorkflowConfiguration{{WorkflowArn: &reference}},
		})
		must(t, err)
	}
	_, err := f.DeleteWorkflow(ctx, &imagebuilder.DeleteWorkflowInput{WorkflowBuildVersionArn: &first})
	wantError(t, "DeleteWorkflow of a build that a pipeline names", err, dependency)
	_, err = f.DeleteWorkflow(ctx, &imagebuilder.DeleteWorkflowInput{WorkflowBuildVersionArn: &second})
	must(t, err)
}

func TestWaitingSteps(t *testing.T) { // G11 as far as a step that does not wait
	f := newFactory(t)
	ctx := t.Context()
	image, other := f.build(), f.build()
	const id = "step-12345678-1234-4234-8234-123456789012"
	step := ingot.StepExecution{GetWorkflowStepExecutionResponse: model.GetWorkflowStepExecutionResponse{
		StepExecutionId: id, WorkflowExecutionId: "wf-12345678-1234-4234-8234-123456789012", ImageBuildVersionArn: image,
		Name: "LaunchBuildInstance", Status: model.WorkflowStepExecutionStatusCompleted,
	}}
	must(t, f.Store.Write(ctx, func(tx ingot.Tx) error { return tx.PutStepExecution(ctx, step) }))
	if a := f.must("POST", "/ListWaitingWorkflowSteps", nil); !cmp.Equal(a, obj{"steps": []any{}}) {
		t.Errorf("ListWaitingWorkflowSteps = %v, want no steps", a)
	}
	send := func(id, image string) error {
		_, err := f.SendWorkflowStepAction(ctx, &imagebuilder.SendWorkflowStepActionInput{
			StepExecutionId: &id, ImageBuildVersionArn: &image, Action: types.WorkflowStepActionTypeResume, Reason: aws.String("ok"),
		})
		return err
	}
	wantError(t, "an unknown step", send("step-12345678-1234-4234-8234-123456789013", image), notFound)
	wantError(t, "the step of another image", send(id, other), invalid)
	wantError(t, "a step that has ended", send(id, image), "InvalidRequestException")
}
