package api_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

var imageCases = cases{
	"G2": func(t *testing.T) {
		f := newFactory(t)
		version := own + "image/demo/1.0.0"
		arn := f.build()
		f.refused(404, notFound, "GET", "/GetImage?imageBuildVersionArn="+version, nil, version)
		f.move(arn, model.ImageStatusBuilding, model.ImageStatusTesting, model.ImageStatusAvailable)
		if got := f.image(version); *got.Arn != arn {
			t.Errorf("GetImage = %s", *got.Arn)
		}
	},
	"G3": func(t *testing.T) {
		f := newFactory(t)
		first, second := f.build(), f.build()
		f.move(first, model.ImageStatusAvailable)
		f.move(second, model.ImageStatusFailed)
		for _, version := range []string{"1.0.0", "x.x.x"} {
			if got := f.image(own + "image/demo/" + version); *got.Arn != first {
				t.Errorf("GetImage %s = %s", version, *got.Arn)
			}
		}
	},
	"G4": func(t *testing.T) {
		f := newFactory(t)
		arn := f.build()
		f.move(arn, model.ImageStatusBuilding)
		f.refused(400, dependency, "DELETE", "/DeleteImage?imageBuildVersionArn="+arn, nil, arn)
	},
	"G5": func(t *testing.T) {
		f := newFactory(t)
		arn := f.build()
		f.move(arn, model.ImageStatusBuilding)
		f.must("PUT", "/CancelImageCreation", obj{"imageBuildVersionArn": arn})
		f.move(arn, model.ImageStatusCancelled) // the builder does
		f.refused(400, invalid, "PUT", "/CancelImageCreation", obj{"imageBuildVersionArn": arn}, "CANCELLED")
	},
	"G6": func(t *testing.T) {
		f := newFactory(t)
		arn := f.build()
		f.move(arn, model.ImageStatusCancelled)
		f.must("DELETE", "/DeleteImage?imageBuildVersionArn="+arn, nil)
		f.refused(404, notFound, "GET", "/GetImage?imageBuildVersionArn="+arn, nil, arn)
		if next := f.build(); next != own+"image/demo/1.0.0/2" {
			t.Errorf("the next build is %s", next)
		}
	},
	"G9": func(t *testing.T) { // as far as the request: the build is of package build
		f := newFactory(t)
		arn := f.build(func(in *imagebuilder.CreateImageInput) {
			in.ExecutionRole = aws.String(role)
			in.Workflows = []types.WorkflowConfiguration{{WorkflowArn: aws.String(managed + "workflow/test/test-image/x.x.x")}}
		})
		if got := f.image(arn).Workflows; len(got) != 1 {
			t.Errorf("workflows = %+v", got)
		}
	},
	"G11": func(t *testing.T) { // over a record like that of a build, whose own tests are TestWF10Approval and others of package build
		f := newFactory(t)
		arn, other := f.build(), f.build()
		f.putWaiting(waitingStepID, arn)
		if list := f.must("POST", "/ListWaitingWorkflowSteps", nil)["steps"]; dig(list, 0, "stepExecutionId") != waitingStepID || dig(list, 0, "imageBuildVersionArn") != arn {
			t.Errorf("ListWaitingWorkflowSteps = %v", list)
		}
		send := func(image, action string) obj {
			return obj{"stepExecutionId": waitingStepID, "imageBuildVersionArn": image, "action": action, "reason": "ok"}
		}
		f.refused(400, invalid, "PUT", "/SendWorkflowStepAction", send(other, "STOP"), "'imageBuildVersionArn'")
		f.must("PUT", "/SendWorkflowStepAction", send(arn, "STOP"))
		f.refused(400, invalidRequest, "PUT", "/SendWorkflowStepAction", send(arn, "RESUME"), waitingStepID)
	},
	"G12": func(t *testing.T) { // over records like those of a build
		f := newFactory(t)
		arn := f.build()
		for n, kind := range []model.WorkflowType{model.WorkflowTypeBuild, model.WorkflowTypeTest} {
			e := ingot.WorkflowExecution{GetWorkflowExecutionResponse: model.GetWorkflowExecutionResponse{
				WorkflowExecutionId: fmt.Sprintf("wf-12345678-1234-4234-8234-12345678901%d", n), ImageBuildVersionArn: arn, Type: kind,
				Status: model.WorkflowExecutionStatusCompleted, StartTime: model.DateTime(f.now().Add(time.Duration(n) * time.Second)),
				TotalStepCount: new(3), TotalStepsSucceeded: new(2), TotalStepsSkipped: new(1), TotalStepsFailed: new(0),
			}}
			must(t, f.Store.Write(t.Context(), func(tx ingot.Tx) error { return tx.PutWorkflowExecution(t.Context(), e) }))
		}
		list, err := f.ListWorkflowExecutions(t.Context(), &imagebuilder.ListWorkflowExecutionsInput{ImageBuildVersionArn: &arn})
		must(t, err)
		if e := list.WorkflowExecutions; len(e) != 2 || e[0].Type != types.WorkflowTypeTest || e[1].Type != types.WorkflowTypeBuild {
			t.Fatalf("ListWorkflowExecutions = %+v, want TEST and BUILD", e)
		}
		for _, e := range list.WorkflowExecutions {
			if e.TotalStepCount != e.TotalStepsSucceeded+e.TotalStepsFailed+e.TotalStepsSkipped || (*e.WorkflowExecutionId)[:3] != "wf-" {
				t.Errorf("the counters do not add up: %+v", e)
			}
		}
	},
	"G14": func(t *testing.T) {
		f := newFactory(t)
		arn := f.build()
		f.move(arn, model.ImageStatusAvailable)
		answer := f.must("PUT", "/StartResourceStateUpdate", stateUpdate(arn, "DEPRECATED", nil))
		if len(answer) != 1 || answer["resourceArn"] != arn || dig(f.getImage(arn), "state", "status") != "DEPRECATED" {
			t.Errorf("StartResourceStateUpdate = %v, and the image is %v", answer, f.getImage(arn))
		}
		f.refused(404, notFound, "GET", "/GetImage?imageBuildVersionArn="+own+"image/demo/1.0.0", nil)
	},
	"G16": func(t *testing.T) {
		s := start(t)
		available, failed, box := s.putOwnImage("1", "AVAILABLE", "AMI"), s.putOwnImage("2", "FAILED", "AMI"), s.putOwnImage("3", "AVAILABLE", "DOCKER")
		for _, c := range []struct {
			in        obj
			exception string
		}{
			{stateUpdate(available, "DELETED", nil), combination},
			{stateUpdate(available, "DELETED", obj{"includeResources": obj{"amis": true, "snapshots": true}}), combination},
			{stateUpdate(failed, "DEPRECATED", nil), invalidRequest},
			{stateUpdate(box, "DEPRECATED", nil), invalid},
			{stateUpdate(available, "DEPRECATED", obj{"updateAt": float64(time.Now().Add(-time.Hour).Unix())}), invalid},
		} {
			s.refused(400, c.exception, "PUT", "/StartResourceStateUpdate", c.in)
		}
	},
}

var otherCases = cases{
	"L2": func(t *testing.T) {
		s := start(t)
		for title, c := range map[string]struct {
			changes   obj
			exception string
		}{
			"two DELETE rules":   {obj{"policyDetails": []any{rule("DELETE", "COUNT", nil), rule("DELETE", "AGE", obj{"unit": "DAYS"})}}, combination},
			"container, DISABLE": {obj{"resourceType": "CONTAINER_IMAGE", "policyDetails": []any{rule("DISABLE", "AGE", obj{"unit": "DAYS"})}}, combination},
			"AGE without unit":   {obj{"policyDetails": []any{rule("DELETE", "AGE", nil)}}, invalidRequest},
			"both selections": {obj{"resourceSelection": obj{
				"tagMap": obj{"a": "b"}, "recipes": []any{obj{"name": "demo", "semanticVersion": "1.0.0"}},
			}}, combination},
			"COUNT, DEPRECATE": {obj{"policyDetails": []any{rule("DEPRECATE", "COUNT", nil)}}, combination},
		} {
			t.Run(title, func(t *testing.T) {
				s := *s
				s.t = t
				s.refused(400, c.exception, "PUT", "/CreateLifecyclePolicy", policy("demo", c.changes))
			})
		}
	},
	"L5": func(t *testing.T) {
		s := start(t)
		arn := s.must("PUT", "/CreateLifecyclePolicy", policy("demo", nil))["lifecyclePolicyArn"]
		in := policy("demo", obj{"name": nil, "lifecyclePolicyArn": arn, "resourceType": "CONTAINER_IMAGE"})
		s.refused(400, invalid, "PUT", "/UpdateLifecyclePolicy", in, "'resourceType'")
	},
	"A3": func(t *testing.T) {
		s := start(t)
		arn := s.createComponent("tool", "1.0.0", docBuild)
		s.refused(404, notFound, "GET", "/GetComponentPolicy?componentArn="+arn, nil)
	},
	"A4": func(t *testing.T) {
		s := start(t)
		tags := obj{}
		for n := range 51 {
			tags[fmt.Sprint("key", n)] = "v"
		}
		in := component("tool", "1.0.0", docBuild)
		in["tags"] = tags
		s.refused(400, invalid, "PUT", "/CreateComponent", in, "'tags'")
		arn := s.createComponent("tool", "1.0.0", docBuild)
		s.refused(400, "InvalidParameterException", "POST", "/tags/"+url.PathEscape(arn), obj{"tags": obj{"aws:x": "y"}}, "aws:x")
	},
	"Q1": func(t *testing.T) {
		f := newFactory(t)
		named := func(n int) func(*imagebuilder.CreateImagePipelineInput) {
			return func(in *imagebuilder.CreateImagePipelineInput) { in.Name = aws.String(fmt.Sprint("pipeline-", n)) }
		}
		for n := range 75 {
			must(t, f.newPipeline(named(n)))
		}
		wantError(t, "the 76th pipeline", f.newPipeline(named(76)), "ServiceQuotaExceededException")
	},
	"F1": terraform,
}
