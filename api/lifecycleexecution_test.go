package api_test

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// putOwnImage stores image demo 1.0.0 of the caller's account and returns its ARN.
func (s *server) putOwnImage(build string, status model.ImageStatus, kind model.ImageType) string {
	s.t.Helper()
	arn, err := ingot.ParseARN(own + "image/demo/1.0.0/" + build)
	if err != nil {
		s.t.Fatal(err)
	}
	document, err := json.Marshal(model.Image{
		Arn: arn.String(), Name: "demo", Version: "1.0.0/" + build, Type: kind, State: &model.ImageState{Status: status},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	now := s.now()
	s.put(ingot.Record{ARN: arn, Name: "demo", Status: string(status), Created: now, Updated: now, Document: document})
	return arn.String()
}

// putExecution stores an execution of a policy that has acted on an image and on one AMI of it.
func (s *server) putExecution(status model.LifecycleExecutionStatus, policy, image string) string {
	s.t.Helper()
	scope := ingot.Scope{Account: account, Region: region}
	e := ingot.NewLifecycleExecution(scope, status, s.now())
	e.LifecyclePolicyArn = policy
	ctx := context.Background()
	err := s.Store.Write(ctx, func(tx ingot.Tx) error {
		if err := tx.PutLifecycleExecution(ctx, e); err != nil {
			return err
		}
		r := ingot.LifecycleResource{LifecycleExecutionResource: model.LifecycleExecutionResource{
			ResourceId: image, AccountId: account, Region: region,
			State: &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusSuccess},
		}}
		if err := tx.PutLifecycleResource(ctx, e.LifecycleExecutionId, r); err != nil {
			return err
		}
		r.Parent, r.ResourceId = image, baseAMI
		return tx.PutLifecycleResource(ctx, e.LifecycleExecutionId, r)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return e.LifecycleExecutionId
}

// stateUpdate is a StartResourceStateUpdate request.
func stateUpdate(arn, status string, more obj) obj {
	in := obj{"resourceArn": arn, "state": obj{"status": status}}
	maps.Copy(in, more)
	return in
}

func (s *server) getImage(arn string) map[string]any {
	s.t.Helper()
	image, _ := s.must("GET", "/GetImage?imageBuildVersionArn="+arn, nil)["image"].(map[string]any)
	return image
}

var executionID = regexp.MustCompile(`^lce-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestStateUpdate(t *testing.T) { // G14
	now := time.Now().Truncate(time.Millisecond)
	s := start(t, clock(&now))
	arn := s.putOwnImage("1", "AVAILABLE", "AMI")
	var deprecated any
	for _, c := range []struct {
		status, action string
		deprecates     bool // deprecationTime is the time of this step
		kept           bool // it is that of an earlier one
	}{
		{"DEPRECATED", "DEPRECATE", true, false},
		{"DEPRECATED", "DEPRECATE", false, true},
		{"DISABLED", "DISABLE", false, true},
		{"DEPRECATED", "DEPRECATE", true, false},
		{"AVAILABLE", "AVAILABLE", false, false},
		{"DISABLED", "DISABLE", false, false},
		{"AVAILABLE", "AVAILABLE", false, false},
	} {
		now = now.Add(time.Second)
		before := s.getImage(arn)
		answer := s.must("PUT", "/StartResourceStateUpdate", stateUpdate(arn, c.status, nil))
		id, _ := dig(s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": arn}), "lifecycleExecutions", 0, "lifecycleExecutionId").(string)
		if !executionID.MatchString(id) || answer["resourceArn"] != arn || len(answer) != 1 {
			t.Fatalf("StartResourceStateUpdate %s = %v", c.status, answer)
		}
		image, at := s.getImage(arn), float64(now.UnixMilli())/1000
		if c.deprecates {
			deprecated = at
		} else if !c.kept {
			deprecated = nil
		}
		changed := before["state"].(obj)["status"] != c.status
		if dig(image, "state", "status") != c.status || image["deprecationTime"] != deprecated || changed != (image["lifecycleExecutionId"] == id) {
			t.Errorf("the image is %v after %s", image, c.status)
		}
		want := obj{"lifecycleExecution": obj{
			"lifecycleExecutionId": id, "state": obj{"status": "SUCCESS"}, "startTime": at, "endTime": at,
			"resourcesImpactedSummary": obj{"hasImpactedResources": false},
		}}
		if diff := cmp.Diff(want, s.must("GET", "/GetLifecycleExecution?lifecycleExecutionId="+id, nil)); diff != "" {
			t.Errorf("GetLifecycleExecution (-want +got):\n%s", diff)
		}
		want = obj{"lifecycleExecutionId": id, "lifecycleExecutionState": obj{"status": "SUCCESS"}, "resources": []any{obj{
			"accountId": account, "region": region, "resourceId": arn, "state": obj{"status": "SUCCESS"},
			"action": obj{"name": c.action}, "startTime": at, "endTime": at,
		}}}
		if diff := cmp.Diff(want, s.must("POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": id})); diff != "" {
			t.Errorf("ListLifecycleExecutionResources (-want +got):\n%s", diff)
		}
		by := s.call("GET", "/GetImage?imageBuildVersionArn="+own+"image/demo/1.0.0", nil)
		if found := by.Status == 200; found != (c.status == "AVAILABLE") {
			t.Errorf("GetImage by version of an image that is %s = %d", c.status, by.Status)
		}
	}
	list := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": arn})["lifecycleExecutions"].([]any)
	if len(list) != 7 || dig(list, 6, "lifecycleExecutionId") == s.getImage(arn)["lifecycleExecutionId"] {
		t.Errorf("ListLifecycleExecutions is not newest first: %v", list)
	}
}

func TestStateUpdateOnce(t *testing.T) {
	s := start(t)
	arn := s.putOwnImage("1", "AVAILABLE", "AMI")
	in := stateUpdate(arn, "DISABLED", obj{"clientToken": "once"})
	first, second := s.must("PUT", "/StartResourceStateUpdate", in), s.must("PUT", "/StartResourceStateUpdate", in)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the replay differs (-first +second):\n%s", diff)
	}
	if list := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": arn}); len(list["lifecycleExecutions"].([]any)) != 1 {
		t.Errorf("a replay made another execution: %v", list)
	}
}

func TestStateUpdateRefusals(t *testing.T) { // G16, LC-13
	s := start(t)
	available := s.putOwnImage("1", "AVAILABLE", "AMI")
	failed := s.putOwnImage("2", "FAILED", "AMI")
	box := s.putOwnImage("3", "AVAILABLE", "DOCKER")
	building := s.putOwnImage("4", "BUILDING", "AMI")
	cancelled := s.putOwnImage("5", "CANCELLED", "AMI")
	busy := s.putOwnImage("6", "AVAILABLE", "AMI")
	disabled := s.putOwnImage("7", "DISABLED", "AMI")
	s.putExecution(model.LifecycleExecutionStatusInProgress, "", busy)
	include := func(more obj, what ...string) obj {
		resources := obj{}
		for _, w := range what {
			resources[w] = true
		}
		in := obj{"includeResources": resources, "executionRole": role}
		maps.Copy(in, more)
		return in
	}
	exclusions := obj{"exclusionRules": obj{"amis": obj{"isPublic": true}}}
	at := func(d time.Duration) obj { return obj{"updateAt": float64(time.Now().Add(d).Unix())} }
	const (
		request = "InvalidRequestException"
		inUse   = "ResourceInUseException"
		absent  = "NotImplementedException"
	)
	for name, c := range map[string]struct {
		in        obj
		exception string
		part      string
	}{
		"delete without resources":  {stateUpdate(available, "DELETED", nil), combination, "includeResources"},
		"delete with nothing":       {stateUpdate(available, "DELETED", include(nil)), combination, "DeleteImage"},
		"resources without role":    {stateUpdate(available, "DISABLED", obj{"includeResources": obj{"amis": true}}), combination, "executionRole"},
		"role without resources":    {stateUpdate(available, "DISABLED", obj{"executionRole": role}), combination, "executionRole"},
		"failed, deprecate":         {stateUpdate(failed, "DEPRECATED", nil), request, "FAILED"},
		"cancelled, available":      {stateUpdate(cancelled, "AVAILABLE", nil), request, "CANCELLED"},
		"container, deprecate":      {stateUpdate(box, "DEPRECATED", nil), invalid, "'state.status'"},
		"container, disable":        {stateUpdate(box, "DISABLED", nil), invalid, "'state.status'"},
		"container, amis":           {stateUpdate(box, "DELETED", include(nil, "amis")), combination, "amis"},
		"AMI, containers":           {stateUpdate(available, "DELETED", include(nil, "containers")), combination, "containers"},
		"snapshots without amis":    {stateUpdate(available, "DELETED", include(nil, "snapshots", "containers")), combination, "snapshots"},
		"disable, snapshots":        {stateUpdate(available, "DISABLED", include(nil, "amis", "snapshots")), combination, "snapshots"},
		"exclusions without amis":   {stateUpdate(available, "DISABLED", exclusions), combination, "exclusionRules.amis"},
		"updateAt has passed":       {stateUpdate(available, "DEPRECATED", at(-time.Hour)), invalid, "'updateAt'"},
		"updateAt, disable":         {stateUpdate(available, "DISABLED", at(time.Hour)), invalid, "'updateAt'"},
		"being made":                {stateUpdate(building, "DEPRECATED", nil), inUse, "BUILDING"},
		"acted on":                  {stateUpdate(busy, "DEPRECATED", nil), inUse, "lce-"},
		"no such state":             {stateUpdate(available, "PENDING", nil), invalid, "state.status"},
		"a version":                 {stateUpdate(own+"image/demo/1.0.0", "DISABLED", nil), invalid, "resourceArn"},
		"nothing there":             {stateUpdate(own+"image/demo/1.0.0/9", "DISABLED", nil), notFound, "1.0.0/9"},
		"managed":                   {stateUpdate(managed+"image/demo/1.0.0/1", "DISABLED", nil), "ForbiddenException", "demo"},
		"updateAt, not available":   {stateUpdate(disabled, "DEPRECATED", at(time.Hour)), request, "DISABLED"},
		"valid, delete a container": {stateUpdate(box, "DELETED", include(nil, "containers")), absent, "DeleteImage"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			status := map[string]int{notFound: 404, "ForbiddenException": 403, absent: 501}[c.exception]
			if status == 0 {
				status = 400
			}
			s.refused(status, c.exception, "PUT", "/StartResourceStateUpdate", c.in, c.part)
		})
	}
	if got := dig(s.getImage(available), "state", "status"); got != "AVAILABLE" {
		t.Errorf("a refused update made the image %v", got)
	}
	s.refused(404, notFound, "POST", "/ListLifecycleExecutions", obj{"resourceArn": own + "image/demo/1.0.0/9"})
	if list := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": available}); len(list["lifecycleExecutions"].([]any)) != 0 {
		t.Errorf("a refused update left an execution: %v", list)
	}
	s.must("PUT", "/StartResourceStateUpdate", stateUpdate(available, "DISABLED", include(nil)))
}

func TestLifecycleExecutions(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	s := start(t, clock(&now))
	arn := own + "lifecycle-policy/demo"
	s.must("PUT", "/CreateLifecyclePolicy", policy("demo", nil))
	image := s.putOwnImage("1", "AVAILABLE", "AMI")
	if list := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": arn}); len(list["lifecycleExecutions"].([]any)) != 0 {
		t.Errorf("executions of a new policy: %v", list)
	}
	done := s.putExecution(model.LifecycleExecutionStatusSuccess, arn, image)
	now = now.Add(time.Hour)
	acting := s.putExecution(model.LifecycleExecutionStatusInProgress, arn, image)
	for _, of := range []string{arn, image} {
		first := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": of, "maxResults": 1})
		second := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": of, "maxResults": 1, "nextToken": first["nextToken"]})
		if dig(first, "lifecycleExecutions", 0, "lifecycleExecutionId") != acting ||
			dig(second, "lifecycleExecutions", 0, "lifecycleExecutionId") != done || second["nextToken"] != nil {
			t.Errorf("executions of %s: %v, then %v", of, first, second)
		}
		if dig(first, "lifecycleExecutions", 0, "lifecyclePolicyArn") != arn || dig(first, "lifecycleExecutions", 0, "scope") != nil {
			t.Errorf("an execution is %v", first)
		}
	}
	outputs := s.must("POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": acting, "parentResourceId": image})
	if dig(outputs, "resources", 0, "resourceId") != baseAMI || dig(outputs, "resources", 1) != nil || dig(outputs, "resources", 0, "parent") != nil {
		t.Errorf("outputs of the image: %v", outputs)
	}
	s.refused(400, dependency, "DELETE", "/DeleteLifecyclePolicy?lifecyclePolicyArn="+arn, nil, acting)
	s.refused(400, "ResourceInUseException", "DELETE", "/DeleteImage?imageBuildVersionArn="+image, nil, acting)
	cancel := obj{"lifecycleExecutionId": acting}
	if diff := cmp.Diff(cancel, s.must("PUT", "/CancelLifecycleExecution", cancel)); diff != "" {
		t.Errorf("CancelLifecycleExecution (-want +got):\n%s", diff)
	}
	got := s.must("GET", "/GetLifecycleExecution?lifecycleExecutionId="+acting, nil)
	if dig(got, "lifecycleExecution", "state", "status") != "CANCELLING" {
		t.Errorf("a cancelled execution is %v", got)
	}
	s.refused(400, "InvalidRequestException", "PUT", "/CancelLifecycleExecution", cancel, "CANCELLING")
	s.refused(400, "InvalidRequestException", "PUT", "/CancelLifecycleExecution", obj{"lifecycleExecutionId": done}, "SUCCESS")
	s.refused(400, dependency, "DELETE", "/DeleteLifecyclePolicy?lifecyclePolicyArn="+arn, nil, acting)
	paused := s.putExecution(model.LifecycleExecutionStatusPending, arn, image)
	s.must("PUT", "/CancelLifecycleExecution", obj{"lifecycleExecutionId": paused})
}

func TestExecutionsOutliveTheirSubjects(t *testing.T) {
	s := start(t)
	arn := own + "lifecycle-policy/demo"
	s.must("PUT", "/CreateLifecyclePolicy", policy("demo", nil))
	image := s.putOwnImage("1", "AVAILABLE", "AMI")
	id := s.putExecution(model.LifecycleExecutionStatusFailed, arn, image)
	s.must("DELETE", "/DeleteImage?imageBuildVersionArn="+image, nil)
	s.must("DELETE", "/DeleteLifecyclePolicy?lifecyclePolicyArn="+arn, nil)
	for _, of := range []string{arn, image} {
		list := s.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": of})
		if dig(list, "lifecycleExecutions", 0, "lifecycleExecutionId") != id {
			t.Errorf("executions of %s, which is deleted: %v", of, list)
		}
	}
}

func TestLifecycleExecutionRefusals(t *testing.T) {
	s := start(t)
	none := "lce-00000000-0000-4000-8000-000000000000"
	s.refused(404, notFound, "GET", "/GetLifecycleExecution?lifecycleExecutionId="+none, nil, none)
	s.refused(404, notFound, "POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": none}, none)
	s.refused(404, notFound, "PUT", "/CancelLifecycleExecution", obj{"lifecycleExecutionId": none}, none)
	s.refused(404, notFound, "POST", "/ListLifecycleExecutions", obj{"resourceArn": own + "lifecycle-policy/none"})
	for _, tail := range []string{"component/a-b/1.0.0/1", "image/demo/1.0.0", "image/demo/x.x.x", "image-pipeline/demo"} {
		s.refused(400, invalid, "POST", "/ListLifecycleExecutions", obj{"resourceArn": own + tail}, "'resourceArn'")
	}
	id := s.putExecution(model.LifecycleExecutionStatusSuccess, "", s.putOwnImage("1", "AVAILABLE", "AMI"))
	for _, parent := range []string{"ami-1", own + "image/demo/1.0.0", own + "component/demo/1.0.0/1"} {
		s.refused(400, invalid, "POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": id, "parentResourceId": parent}, "'parentResourceId'")
	}
	// One of another account is not there.
	stranger := ingot.NewLifecycleExecution(ingot.Scope{Account: "999999999999", Region: region}, model.LifecycleExecutionStatusPending, s.now())
	err := s.Store.Write(t.Context(), func(tx ingot.Tx) error { return tx.PutLifecycleExecution(t.Context(), stranger) })
	if err != nil {
		t.Fatal(err)
	}
	s.refused(404, notFound, "GET", "/GetLifecycleExecution?lifecycleExecutionId="+stranger.LifecycleExecutionId, nil)
	s.refused(404, notFound, "PUT", "/CancelLifecycleExecution", obj{"lifecycleExecutionId": stranger.LifecycleExecutionId})
}
