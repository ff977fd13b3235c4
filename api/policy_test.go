package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sharing is a policy that lets an account use a resource.
func sharing(account, resource, action string) string {
	return fmt.Sprintf(`{"Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": {"AWS": %q}, "Action": ["imagebuilder:%s"], "Resource": %q}]}`, account, action, resource)
}

const (
	otherAccount = "999999999999"
	unshared     = `{"Version": "2012-10-17", "Statement": []}`
)

// shareable is a resource that may have a policy.
type shareable struct{ kind, member, action, arn, remove string }

func (r shareable) get(s *server) answer {
	return s.call("GET", "/Get"+r.kind+"Policy?"+r.member+"="+url.QueryEscape(r.arn), nil)
}

func (r shareable) put(s *server, policy string) {
	s.t.Helper()
	if got := s.must("PUT", "/Put"+r.kind+"Policy", obj{r.member: r.arn, "policy": policy}); got[r.member] != r.arn || got["requestId"] == "" {
		s.t.Errorf("Put%sPolicy = %v", r.kind, got)
	}
}

func (f *factory) shareables() []shareable {
	image := f.build()
	f.move(image, "AVAILABLE")
	return []shareable{
		{"Component", "componentArn", "GetComponent", f.createComponent("tool", "1.0.0", docBuild), "/DeleteComponent?componentBuildVersionArn="},
		{"Image", "imageArn", "ListImages", image, "/DeleteImage?imageBuildVersionArn="},
		{"ImageRecipe", "imageRecipeArn", "GetImageRecipe", f.recipe, "/DeleteImageRecipe?imageRecipeArn="},
		{"ContainerRecipe", "containerRecipeArn", "GetContainerRecipe", f.createContainerRecipe("web", "1.0.0", nil), "/DeleteContainerRecipe?containerRecipeArn="},
	}
}

func TestPolicies(t *testing.T) { // A2 within one account, A3
	f := newFactory(t)
	for _, r := range f.shareables() {
		t.Run(r.kind, func(t *testing.T) {
			f.t = t
			f.refused(404, notFound, "GET", "/Get"+r.kind+"Policy?"+r.member+"="+r.arn, nil, "has no policy")
			first, second := sharing(otherAccount, r.arn, r.action), sharing("arn:aws:iam::"+otherAccount+":root", r.arn, r.action)
			r.put(f.server, first)
			r.put(f.server, second)
			if got := r.get(f.server).Body["policy"]; got != second {
				t.Errorf("the policy is not verbatim: %v", got)
			}
			f.refused(400, dependency, "DELETE", r.remove+r.arn, nil, r.arn)
			r.put(f.server, sharing(account, r.arn, r.action))
			r.put(f.server, first)
			f.refused(400, dependency, "DELETE", r.remove+r.arn, nil, r.arn)
			r.put(f.server, unshared)
			if got := r.get(f.server); got.Status != 404 {
				t.Errorf("a policy without statements is returned: %v", got.Body)
			}
			r.put(f.server, sharing(account, r.arn, r.action)) // with nobody else
			f.must("DELETE", r.remove+r.arn, nil)
			f.refused(404, notFound, "GET", "/Get"+r.kind+"Policy?"+r.member+"="+r.arn, nil, r.arn)
		})
	}
}

func TestPolicyRefusals(t *testing.T) {
	s := start(t)
	s.putManaged("update-linux", "1.0.0", "Linux", "ACTIVE")
	arn, other := s.createComponent("tool", "1.0.0", docBuild), s.createComponent("tool", "1.0.0", docBuild2)
	s.createContainerRecipe("web", "1.0.0", nil)
	good := sharing(otherAccount, arn, "GetComponent")
	put := func(arn, policy string) obj { return obj{"componentArn": arn, "policy": policy} }
	for title, c := range map[string]struct {
		status    int
		exception string
		operation string
		in        obj
		part      string
	}{
		"no JSON":            {400, invalid, "PutComponentPolicy", put(arn, "{"), "'policy'"},
		"no policy":          {400, "InvalidParameterException", "PutComponentPolicy", obj{"componentArn": arn}, "policy"},
		"too long":           {400, invalid, "PutComponentPolicy", put(arn, good+strings.Repeat(" ", 30_001-len(good))), "'policy'"},
		"deny":               {400, invalid, "PutComponentPolicy", put(arn, strings.Replace(good, "Allow", "Deny", 1)), "'policy'"},
		"everyone":           {400, invalid, "PutComponentPolicy", put(arn, sharing("*", arn, "GetComponent")), "aws:PrincipalOrgID"},
		"another action":     {400, invalid, "PutComponentPolicy", put(arn, sharing(otherAccount, arn, "DeleteComponent")), "'policy'"},
		"action of an image": {400, invalid, "PutComponentPolicy", put(arn, sharing(otherAccount, arn, "GetImage")), "'policy'"},
		"another build":      {400, invalid, "PutComponentPolicy", put(arn, sharing(otherAccount, other, "GetComponent")), "'policy'"},
		"a version":          {400, invalid, "PutComponentPolicy", put(own+"component/tool/1.0.0", good), "componentArn"},
		"absent":             {404, notFound, "PutComponentPolicy", put(own+"component/tool/1.0.0/9", good), "1.0.0/9"},
		"managed":            {403, "ForbiddenException", "PutComponentPolicy", put(managed+"component/update-linux/1.0.0/1", good), "update-linux"},
		"wildcard": {400, invalid, "PutContainerRecipePolicy", obj{
			"containerRecipeArn": own + "container-recipe/web/1.x.x", "policy": sharing(otherAccount, own+"container-recipe/web/1.x.x", "GetContainerRecipe"),
		}, "containerRecipeArn"},
	} {
		t.Run(title, func(t *testing.T) {
			s.t = t
			s.refused(c.status, c.exception, "PUT", "/"+c.operation, c.in, c.part)
		})
	}
	s.t = t
	s.refused(404, notFound, "GET", "/GetComponentPolicy?componentArn="+arn, nil, "has no policy")
	s.refused(404, notFound, "GET", "/GetComponentPolicy?componentArn="+managed+"component/update-linux/1.0.0/1", nil, "has no policy")
	s.refused(400, invalid, "GET", "/GetContainerRecipePolicy?containerRecipeArn="+own+"container-recipe/web/1.x.x", nil, "containerRecipeArn")
}

func TestPolicyTouchesNothingElse(t *testing.T) {
	f := newFactory(t)
	image := shareable{kind: "Image", member: "imageArn", arn: f.build()}
	f.must("POST", "/tags/"+url.PathEscape(image.arn), obj{"tags": obj{"a": "b"}})
	before, err := json.Marshal(f.image(image.arn))
	must(t, err)
	policy := sharing(otherAccount, image.arn, "GetImage")
	image.put(f.server, policy)
	after, err := json.Marshal(f.image(image.arn))
	must(t, err)
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the policy changed the image (-before +after):\n%s", diff)
	}
	f.move(image.arn, "BUILDING", "AVAILABLE")
	f.must("POST", "/tags/"+url.PathEscape(image.arn), obj{"tags": obj{"c": "d"}})
	if got := image.get(f.server).Body["policy"]; got != policy {
		t.Errorf("after the build and new tags the policy is %v", got)
	}
	f.refused(400, dependency, "DELETE", "/DeleteImage?imageBuildVersionArn="+image.arn, nil, image.arn)
}
