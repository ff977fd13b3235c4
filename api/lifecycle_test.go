package api_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
)

const role = "arn:aws:iam::" + account + ":role/lifecycle"

// policy is a CreateLifecyclePolicy request with changes; nil takes a member out.
func policy(name string, changes obj) obj {
	in := obj{
		"name": name, "executionRole": role, "resourceType": "AMI_IMAGE",
		"policyDetails":     []any{rule("DELETE", "COUNT", nil)},
		"resourceSelection": obj{"recipes": []any{obj{"name": "demo", "semanticVersion": "1.x.x"}}},
	}
	for k, v := range changes {
		if in[k] = v; v == nil {
			delete(in, k)
		}
	}
	return in
}

// rule is an entry of policyDetails. Filter has members for the filter beside
// its type and value.
func rule(action, filter string, more obj) obj {
	f := obj{"type": filter, "value": 2.0}
	maps.Copy(f, more)
	return obj{"action": obj{"type": action}, "filter": f}
}

// with returns a rule with one more member of its action or of itself.
func with(rule obj, name string, value obj) obj {
	if name == "includeResources" {
		rule["action"].(obj)[name] = value
	} else {
		rule[name] = value
	}
	return rule
}

func (s *server) getPolicy(arn string) map[string]any {
	s.t.Helper()
	p, _ := s.must("GET", "/GetLifecyclePolicy?lifecyclePolicyArn="+arn, nil)["lifecyclePolicy"].(map[string]any)
	return p
}

func TestLifecyclePolicy(t *testing.T) { // W14
	now := time.Now().Truncate(time.Millisecond)
	s := start(t, clock(&now))
	created := float64(now.UnixMilli()) / 1000
	days := obj{"unit": "DAYS", "retainAtLeast": 3.0}
	in := policy("Tidy Up", obj{
		"description": "old ones go", "tags": obj{"a": "b"},
		"policyDetails": []any{
			with(with(rule("DELETE", "AGE", days), "includeResources", obj{"amis": true, "snapshots": true}), "exclusionRules", obj{
				"tagMap": obj{"Keep": "yes"},
				"amis": obj{
					"isPublic": false, "regions": []any{"eu-west-1"}, "sharedAccounts": []any{account},
					"lastLaunched": obj{"value": 9.0, "unit": "WEEKS"}, "tagMap": obj{"Keep": "yes"},
				},
			}),
			with(rule("DEPRECATE", "AGE", obj{"unit": "MONTHS"}), "includeResources", obj{"amis": true, "containers": false}),
			rule("DISABLE", "AGE", obj{"unit": "YEARS"}),
		},
	})
	arn := own + "lifecycle-policy/tidy-up"
	answer := s.must("PUT", "/CreateLifecyclePolicy", in)
	if answer["lifecyclePolicyArn"] != arn || answer["clientToken"] == "" || answer["requestId"] != nil {
		t.Errorf("CreateLifecyclePolicy = %v", answer)
	}
	want := maps.Clone(in)
	want["arn"], want["status"], want["dateCreated"], want["dateUpdated"] = arn, "ENABLED", created, created
	if diff := cmp.Diff(want, s.getPolicy(arn)); diff != "" {
		t.Errorf("the policy is not verbatim (-want +got):\n%s", diff)
	}
	s.refused(400, exists, "PUT", "/CreateLifecyclePolicy", policy("tidy_up", nil),
		"The following resource 'LifecyclePolicy' already exists: '"+arn+"'.")
	s.must("DELETE", "/DeleteLifecyclePolicy?lifecyclePolicyArn="+arn, nil)
	s.refused(404, notFound, "GET", "/GetLifecyclePolicy?lifecyclePolicyArn="+arn, nil, arn)
	s.refused(404, notFound, "DELETE", "/DeleteLifecyclePolicy?lifecyclePolicyArn="+arn, nil, arn)
}

func TestUpdateLifecyclePolicy(t *testing.T) { // L5
	now := time.Now().Truncate(time.Millisecond)
	s := start(t, clock(&now))
	created := float64(now.UnixMilli()) / 1000
	arn := own + "lifecycle-policy/tidy"
	s.must("PUT", "/CreateLifecyclePolicy", policy("Tidy", obj{"status": "DISABLED", "description": "d", "tags": obj{"a": "b"}}))
	now = now.Add(time.Minute)
	in := policy("", obj{"name": nil, "lifecyclePolicyArn": arn, "resourceSelection": obj{"tagMap": obj{"team": "a"}}})
	if diff := cmp.Diff(obj{"lifecyclePolicyArn": arn}, s.must("PUT", "/UpdateLifecyclePolicy", in)); diff != "" {
		t.Errorf("UpdateLifecyclePolicy (-want +got):\n%s", diff)
	}
	want := policy("Tidy", obj{
		"arn": arn, "resourceSelection": in["resourceSelection"], "tags": obj{"a": "b"}, "status": "ENABLED",
		"dateCreated": created, "dateUpdated": created + 60,
	})
	if diff := cmp.Diff(want, s.getPolicy(arn)); diff != "" {
		t.Errorf("what is left out is not replaced (-want +got):\n%s", diff)
	}
	in["resourceType"] = "CONTAINER_IMAGE"
	s.refused(400, invalid, "PUT", "/UpdateLifecyclePolicy", in, "'resourceType'", "AMI_IMAGE")
	in["resourceType"], in["policyDetails"] = "AMI_IMAGE", []any{rule("DISABLE", "COUNT", nil)}
	s.refused(400, combination, "PUT", "/UpdateLifecyclePolicy", in, "COUNT")
	in["lifecyclePolicyArn"] = own + "lifecycle-policy/none"
	s.refused(400, combination, "PUT", "/UpdateLifecyclePolicy", in, "COUNT")
	in["policyDetails"] = []any{rule("DELETE", "COUNT", nil)}
	s.refused(404, notFound, "PUT", "/UpdateLifecyclePolicy", in)
}

func TestLifecyclePolicyRefusals(t *testing.T) { // L2, LC-1
	s := start(t)
	days := obj{"unit": "DAYS"}
	details := func(rules ...any) obj { return obj{"policyDetails": rules} }
	container := func(rules ...any) obj { return obj{"policyDetails": rules, "resourceType": "CONTAINER_IMAGE"} }
	include := func(action string, what ...string) obj {
		resources := obj{}
		for _, w := range what {
			resources[w] = true
		}
		return with(rule(action, "AGE", days), "includeResources", resources)
	}
	version := func(v string) obj {
		return obj{"resourceSelection": obj{"recipes": []any{obj{"name": "demo", "semanticVersion": v}}}}
	}
	const request = "InvalidRequestException"
	for name, c := range map[string]struct {
		changes   obj
		exception string
		part      string
	}{
		"two rules of a type":            {details(rule("DELETE", "COUNT", nil), rule("DELETE", "AGE", days)), combination, "DELETE"},
		"container, DISABLE":             {container(rule("DISABLE", "AGE", days)), combination, "DISABLE"},
		"container, DEPRECATE":           {container(rule("DEPRECATE", "AGE", days)), combination, "policyDetails[0].action"},
		"AGE without unit":               {details(rule("DELETE", "AGE", nil)), request, "policyDetails[0].filter"},
		"COUNT, DEPRECATE":               {details(rule("DEPRECATE", "COUNT", nil)), combination, "COUNT"},
		"COUNT with unit":                {details(rule("DELETE", "COUNT", days)), combination, "filter.unit"},
		"COUNT, retainAtLeast":           {details(rule("DELETE", "COUNT", obj{"retainAtLeast": 1})), combination, "retainAtLeast"},
		"DISABLE, retainAtLeast":         {details(rule("DISABLE", "AGE", obj{"unit": "DAYS", "retainAtLeast": 1})), combination, "retainAtLeast"},
		"retainAtLeast out of range":     {details(rule("DELETE", "AGE", obj{"unit": "DAYS", "retainAtLeast": 11})), invalid, "policyDetails[0].filter.retainAtLeast"},
		"value out of range":             {details(rule("DELETE", "COUNT", obj{"value": 1001})), invalid, "policyDetails[0].filter.value"},
		"no rules":                       {obj{"policyDetails": []any{}}, invalid, "policyDetails"},
		"four rules":                     {details(rule("DELETE", "COUNT", nil), rule("DISABLE", "AGE", days), rule("DEPRECATE", "AGE", days), rule("DELETE", "COUNT", nil)), invalid, "policyDetails"},
		"AMI image, containers":          {details(include("DELETE", "containers")), combination, "containers"},
		"container, amis":                {container(include("DELETE", "amis")), combination, "amis"},
		"snapshots without amis":         {details(include("DELETE", "snapshots")), combination, "snapshots"},
		"snapshots, DISABLE":             {details(include("DISABLE", "amis", "snapshots")), combination, "snapshots"},
		"container, AMI exclusions":      {container(with(rule("DELETE", "COUNT", nil), "exclusionRules", obj{"amis": obj{"isPublic": true}})), combination, "exclusionRules.amis"},
		"lastLaunched without unit":      {details(with(rule("DELETE", "COUNT", nil), "exclusionRules", obj{"amis": obj{"lastLaunched": obj{"value": 1}}})), "InvalidParameterException", "lastLaunched.unit"},
		"lastLaunched too long":          {details(with(rule("DELETE", "COUNT", nil), "exclusionRules", obj{"amis": obj{"lastLaunched": obj{"value": 366, "unit": "DAYS"}}})), invalid, "lastLaunched.value"},
		"recipes and tags":               {obj{"resourceSelection": obj{"tagMap": obj{"a": "b"}, "recipes": []any{obj{"name": "demo", "semanticVersion": "1.0.0"}}}}, combination, "resourceSelection"},
		"neither recipes nor tags":       {obj{"resourceSelection": obj{}}, combination, "resourceSelection"},
		"wildcard before a number":       {version("1.x.3"), "InvalidVersionNumberException", "1.x.3"},
		"version node out of range":      {version("1.0.1073741824"), "InvalidVersionNumberException", "1073741824"},
		"a service-linked role":          {obj{"executionRole": "arn:aws:iam::" + account + ":role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"}, invalid, "'executionRole'"},
		"no role":                        {obj{"executionRole": nil}, "InvalidParameterException", "executionRole"},
		"another resource type":          {obj{"resourceType": "VOLUME"}, invalid, "resourceType"},
		"a reserved tag in the selector": {obj{"resourceSelection": obj{"tagMap": obj{"aws:a": "b"}}}, invalid, "resourceSelection.tagMap"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			s.refused(400, c.exception, "PUT", "/CreateLifecyclePolicy", policy("demo", c.changes), c.part)
		})
	}
	if list := s.must("POST", "/ListLifecyclePolicies", nil); len(list["lifecyclePolicySummaryList"].([]any)) != 0 {
		t.Errorf("a refused policy was stored: %v", list)
	}
	dry := policy("demo", obj{"dryRun": true, "executionRole": "role-by-name"})
	s.refused(412, "DryRunOperationException", "PUT", "/CreateLifecyclePolicy", dry)
	s.must("PUT", "/CreateLifecyclePolicy", policy("demo", container(include("DELETE", "containers"))))
}

func TestListLifecyclePolicies(t *testing.T) {
	s := start(t)
	for i := range 3 {
		s.must("PUT", "/CreateLifecyclePolicy", policy(fmt.Sprintf("Rule %d", i), nil))
	}
	s.must("PUT", "/CreateLifecyclePolicy", policy("off", obj{"status": "DISABLED"}))
	for _, c := range []struct {
		name, value string
		want        []any
	}{
		{"name", "Rule 1", []any{"Rule 1"}},
		{"Name", "rule-1", []any{"Rule 1"}},
		{"status", "DISABLED", []any{"off"}},
		{"Status", "ENABLED", []any{"Rule 0", "Rule 1", "Rule 2"}},
		{"status", "disabled", nil},
	} {
		list := s.must("POST", "/ListLifecyclePolicies", obj{"filters": []obj{{"name": c.name, "values": []string{c.value}}}})
		var names []any
		for _, p := range list["lifecyclePolicySummaryList"].([]any) {
			names = append(names, dig(p, "name"))
			if dig(p, "policyDetails") != nil || dig(p, "dateCreated") != dig(p, "dateUpdated") || dig(p, "tags") == nil {
				t.Errorf("the entry is %v", p)
			}
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("filter %s=%s (-want +got):\n%s", c.name, c.value, diff)
		}
	}
	s.refused(400, "InvalidRequestException", "POST", "/ListLifecyclePolicies", obj{"filters": []obj{{"name": "NAME", "values": []string{"x"}}}})
	first := s.must("POST", "/ListLifecyclePolicies", obj{"maxResults": 3})
	second := s.must("POST", "/ListLifecyclePolicies", obj{"maxResults": 3, "nextToken": first["nextToken"]})
	if dig(second, "lifecyclePolicySummaryList", 0, "name") != "Rule 2" || second["nextToken"] != nil {
		t.Errorf("the second page is %v", second)
	}
	for i := range 46 {
		s.must("PUT", "/CreateLifecyclePolicy", policy(fmt.Sprintf("more-%d", i), nil))
	}
	s.refused(402, "ServiceQuotaExceededException", "PUT", "/CreateLifecyclePolicy", policy("too-many", nil))
}

// TestLifecycleThroughSDK reads dates, which are numbers here, by the vendor's client.
func TestLifecycleThroughSDK(t *testing.T) { // W14
	now := time.Now().Truncate(time.Millisecond)
	f := newFactory(t, clock(&now))
	ctx := t.Context()
	for i := range 3 {
		_, err := f.CreateLifecyclePolicy(ctx, &imagebuilder.CreateLifecyclePolicyInput{
			Name: aws.String(fmt.Sprint("policy-", i)), ExecutionRole: aws.String(role), ResourceType: types.LifecyclePolicyResourceTypeAmiImage,
			PolicyDetails: []types.LifecyclePolicyDetail{{
				Action: &types.LifecyclePolicyDetailAction{Type: types.LifecyclePolicyDetailActionTypeDelete},
				Filter: &types.LifecyclePolicyDetailFilter{Type: types.LifecyclePolicyDetailFilterTypeCount, Value: aws.Int32(2)},
			}},
			ResourceSelection: &types.LifecyclePolicyResourceSelection{TagMap: map[string]string{"team": "a"}},
		})
		must(t, err)
	}
	var names []string
	for pages := imagebuilder.NewListLifecyclePoliciesPaginator(f, &imagebuilder.ListLifecyclePoliciesInput{MaxResults: aws.Int32(2)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.LifecyclePolicySummaryList {
			names = append(names, *p.Name)
			if !p.DateCreated.Equal(now) || !p.DateUpdated.Equal(now) || p.DateLastRun != nil {
				t.Errorf("dates of %s: %v, %v, %v", *p.Name, p.DateCreated, p.DateUpdated, p.DateLastRun)
			}
		}
	}
	if diff := cmp.Diff([]string{"policy-0", "policy-1", "policy-2"}, names); diff != "" {
		t.Errorf("policies by pages (-want +got):\n%s", diff)
	}
	image := f.build()
	f.move(image, model.ImageStatusAvailable)
	update, err := f.StartResourceStateUpdate(ctx, &imagebuilder.StartResourceStateUpdateInput{
		ResourceArn: &image, State: &types.ResourceState{Status: types.ResourceStatusDeprecated},
	})
	must(t, err)
	got := f.image(image)
	if !got.DeprecationTime.Equal(now) || update.LifecycleExecutionId != nil {
		t.Errorf("the image was deprecated at %v; StartResourceStateUpdate = %+v", got.DeprecationTime, update)
	}
	e, err := f.GetLifecycleExecution(ctx, &imagebuilder.GetLifecycleExecutionInput{LifecycleExecutionId: got.LifecycleExecutionId})
	must(t, err)
	if e.LifecycleExecution.State.Status != types.LifecycleExecutionStatusSuccess || !e.LifecycleExecution.EndTime.Equal(now) {
		t.Errorf("the execution is %+v", e.LifecycleExecution)
	}
}
