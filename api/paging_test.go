package api_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// TestPagesUnderChange lists components page by page while others come and go:
// what is there throughout is listed once, in order, and what is not, once at
// the most. Source: api.md §1.7.
func TestPagesUnderChange(t *testing.T) {
	s := start(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		name := func(n int) string { return fmt.Sprintf("r%d-c%02d", round, n) }
		there := map[int]bool{} // now
		create := func(n int) {
			s.createComponent(name(n), "1.0.0", docBuild)
			there[n] = true
		}
		remove := func(n int) {
			s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+url.QueryEscape(s.getComponent(own + "component/" + name(n) + "/x.x.x")["arn"].(string)), nil)
			delete(there, n)
		}
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 19), 5, 15, rapid.ID).Draw(rt, "first") {
			create(n)
		}
		throughout := map[string]bool{}
		for n := range there {
			throughout[name(n)] = true
		}
		var listed []string
		in := obj{"maxResults": rapid.IntRange(1, 4).Draw(rt, "page"), "filters": []obj{filter("platform", "Linux")}}
		for {
			page := s.must("POST", "/ListComponents", in)
			list := page["componentVersionList"].([]any)
			for _, entry := range list {
				listed = append(listed, dig(entry, "name").(string))
			}
			if page["nextToken"] == nil {
				break
			}
			if len(list) == 0 {
				rt.Fatal("an empty page that is not the last")
			}
			in["nextToken"] = page["nextToken"]
			if n := rapid.IntRange(0, 19).Draw(rt, "change"); there[n] {
				remove(n)
				delete(throughout, name(n))
			} else {
				create(n)
			}
		}
		for n := range there {
			remove(n)
		}
		if !slices.IsSorted(listed) || len(slices.Compact(slices.Clone(listed))) != len(listed) {
			rt.Errorf("listed out of order or twice: %v", listed)
		}
		for name := range throughout {
			if !slices.Contains(listed, name) {
				rt.Errorf("%s was there throughout and is not listed: %v", name, listed)
			}
		}
	})
}

// TestForgedTokens changes every byte of a token, one at a time.
func TestForgedTokens(t *testing.T) {
	s := start(t)
	for n := range 3 {
		s.createComponent(fmt.Sprint("tool-", n), "1.0.0", docBuild)
	}
	token, _ := s.must("POST", "/ListComponents", obj{"maxResults": 1})["nextToken"].(string)
	data, err := base64.RawURLEncoding.DecodeString(token)
	must(t, err)
	for n := range data {
		forged := slices.Clone(data)
		forged[n] ^= 1
		s.refused(400, "InvalidPaginationTokenException", "POST", "/ListComponents", obj{"maxResults": 1, "nextToken": base64.RawURLEncoding.EncodeToString(forged)})
	}
	s.refused(400, "InvalidPaginationTokenException", "POST", "/ListComponents", obj{"maxResults": 1, "nextToken": token[:len(token)/2]})
	s.must("POST", "/ListComponents", obj{"maxResults": 1, "nextToken": token})
}

// TestPagesEverywhere reads every list in pages of one entry and in one page:
// both are the same entries in the same order. Source: api.md §1.7.
func TestPagesEverywhere(t *testing.T) {
	w := newWorld(t)
	for _, r := range w.requests() {
		if strings.HasPrefix(r.operation, "Create") || r.operation == "StartImagePipelineExecution" {
			w.must("PUT", "/"+r.operation, r.in) // a second one of everything
		}
	}
	w.must("PUT", "/StartImagePipelineExecution", obj{"imagePipelineArn": w.pipeline})
	w.recipe = w.newRecipe("other", "1.0.0")
	w.build()
	w.putExecution(model.LifecycleExecutionStatusFailed, w.policy, w.available)
	more := "wf-12345678-1234-4234-8234-123456789014"
	w.putWorkflowExecution(more, w.failed, model.WorkflowTypeTest, model.WorkflowExecutionStatusCompleted)
	w.putWaiting("step-12345678-1234-4234-8234-123456789016", w.building)
	arn, err := ingot.ParseARN(w.available)
	must(t, err)
	must(t, w.Store.Write(t.Context(), func(tx ingot.Tx) error {
		step := ingot.StepExecution{Order: 1, GetWorkflowStepExecutionResponse: model.GetWorkflowStepExecutionResponse{
			StepExecutionId: "step-12345678-1234-4234-8234-123456789013", WorkflowExecutionId: workflowExecutionID, ImageBuildVersionArn: w.failed, Name: "Second",
		}}
		must(t, tx.PutStepExecution(t.Context(), step))
		return tx.PutImagePackages(t.Context(), arn, []ingot.ImagePackage{{PackageName: "bash", PackageVersion: "5"}, {PackageName: "nginx", PackageVersion: "1"}})
	}))
	for _, r := range w.requests() {
		route := routeOf(r.operation)
		if _, pages := route.Input.Member("maxResults"); !pages {
			continue
		}
		in := obj{}
		for _, m := range route.Input.Members {
			if m.Required {
				in[m.Name] = r.in[m.Name]
			}
		}
		whole := listOf(t, w.must(route.Method, route.Path, in))
		if want := map[string]int{"ListImageScanFindings": 0, "ListLifecycleExecutionResources": 1}; len(whole) < 2 && want[r.operation] != len(whole) {
			t.Errorf("%s lists %d entries: too few to page", r.operation, len(whole))
		}
		var paged []any
		for in["maxResults"] = 1; ; {
			page := w.must(route.Method, route.Path, in)
			paged = append(paged, listOf(t, page)...)
			if in["nextToken"] = page["nextToken"]; in["nextToken"] == nil {
				break
			}
		}
		if diff := cmp.Diff(whole, paged, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-whole +in pages):\n%s", r.operation, diff)
		}
	}
}

// listOf is the one list of an answer.
func listOf(t *testing.T, answer obj) (list []any) {
	t.Helper()
	found := 0
	for _, member := range answer {
		if l, ok := member.([]any); ok {
			list, found = l, found+1
		}
	}
	if found != 1 {
		t.Errorf("%d lists in %v", found, answer)
	}
	return list
}
