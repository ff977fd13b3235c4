package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"ingot.dev/ingot"
)

// shared is a policy that lets an account get and list a resource.
func shared(account, kind, resource string) string {
	return fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": %q},
		"Action": ["imagebuilder:Get%[2]s", "imagebuilder:List%[2]ss"], "Resource": %[3]q}]}`, account, kind, resource)
}

// neighbour is the server as another account's administrator sees it.
func (s *server) neighbour() *server {
	s.t.Helper()
	s.putAdministrator(otherAccount, "AKIDOTHER")
	return s.signedBy(ingot.AccessKey{ID: "AKIDOTHER", Secret: secret})
}

func TestSharing(t *testing.T) { // A2
	f := newFactory(t)
	b := f.neighbour()
	for _, r := range f.shareables() {
		t.Run(r.kind, func(t *testing.T) {
			f.t, b.t = t, t
			get := map[string]string{
				"Component": "componentBuildVersionArn", "Image": "imageBuildVersionArn",
				"ImageRecipe": "imageRecipeArn", "ContainerRecipe": "containerRecipeArn",
			}[r.kind]
			name, _, _ := strings.Cut(r.arn, "/1.0.0")
			path := "/Get" + r.kind + "?" + get + "="
			version := path + url.QueryEscape(name+"/x.x.x")
			path += url.QueryEscape(r.arn)
			listed := func() (n int) {
				t.Helper()
				for _, list := range b.must("POST", "/List"+r.kind+"s", obj{"owner": "Shared"}) {
					if entries, ok := list.([]any); ok {
						n += len(entries)
					}
				}
				return n
			}
			b.refused(404, notFound, "GET", path, nil, r.arn)
			r.put(f.server, shared("222222222222", r.kind, r.arn))
			b.refused(404, notFound, "GET", path, nil, r.arn)
			if n := listed(); n != 0 {
				t.Errorf("%d are listed before they are shared", n)
			}

			r.put(f.server, shared(otherAccount, r.kind, r.arn))
			if got := dig(b.must("GET", path, nil), lowerFirst(r.kind), "arn"); got != r.arn {
				t.Errorf("GET %s = %v, want %s", path, got, r.arn)
			}
			if got := dig(b.must("GET", version, nil), lowerFirst(r.kind), "arn"); got != r.arn {
				t.Errorf("GET %s = %v, want %s", version, got, r.arn)
			}
			if n := listed(); n != 1 {
				t.Errorf("%d are listed, want 1", n)
			}
			// Reading is all: no change, no tags, no other sharing.
			b.refused(403, forbidden, "DELETE", r.remove+r.arn, nil, "belongs to another account")
			b.refused(403, forbidden, "POST", "/tags/"+url.PathEscape(r.arn), obj{"tags": obj{"a": "b"}})
			b.refused(403, forbidden, "PUT", "/Put"+r.kind+"Policy", obj{r.member: r.arn, "policy": shared("222222222222", r.kind, r.arn)})
			b.refused(404, notFound, "GET", "/Get"+r.kind+"Policy?"+r.member+"="+r.arn, nil)
			f.refused(400, dependency, "DELETE", r.remove+r.arn, nil, r.arn)

			r.put(f.server, unshared)
			b.refused(404, notFound, "GET", path, nil, r.arn)
			if n := listed(); n != 0 {
				t.Errorf("%d are listed after the sharing has ended", n)
			}
		})
	}
}

func lowerFirst(kind string) string { return string(kind[0]|0x20) + kind[1:] }

// TestSharedForListsOnly: what may be done is what the policy says.
func TestSharedForListsOnly(t *testing.T) {
	s := start(t)
	b := s.neighbour()
	tool := shareable{kind: "Component", member: "componentArn", arn: s.createComponent("tool", "1.0.0", docBuild)}
	tool.put(s, sharing(otherAccount, tool.arn, "ListComponents"))
	b.refused(404, notFound, "GET", getComponent(tool.arn), nil)
	if got := dig(b.must("POST", "/ListComponents", obj{"owner": "Shared"}), "componentVersionList", 0, "owner"); got != account {
		t.Errorf("the listed component belongs to %v, want %s", got, account)
	}
	builds := obj{"componentVersionArn": own + "component/tool/1.0.0"}
	if got := dig(b.must("POST", "/ListComponentBuildVersions", builds), "componentSummaryList", 0, "arn"); got != tool.arn {
		t.Errorf("the listed build is %v, want %s", got, tool.arn)
	}
	tool.put(s, sharing(otherAccount, tool.arn, "GetComponent"))
	b.must("GET", getComponent(tool.arn), nil)
	if got := dig(b.must("POST", "/ListComponents", obj{"owner": "Shared"}), "componentVersionList", 0); got != nil {
		t.Errorf("%v is listed, but only its Get is shared", got)
	}
	if got := dig(b.must("POST", "/ListComponentBuildVersions", builds), "componentSummaryList", 0); got != nil {
		t.Errorf("%v is listed, but only its Get is shared", got)
	}
}

// TestBothSidesMustAllow: an identity policy of the consumer has to let in what
// the owner shares.
func TestBothSidesMustAllow(t *testing.T) {
	s := start(t)
	s.putAdministrator(otherAccount, "AKIDOTHER")
	arn := s.signedBy(ingot.AccessKey{ID: "AKIDOTHER", Secret: secret}).createComponent("tool", "1.0.0", docBuild)
	tool := shareable{kind: "Component", member: "componentArn", arn: arn}
	homely := s.user("homely", allows("imagebuilder:*", own+"*"))
	open := s.user("open", allows("imagebuilder:Get*", "*"))
	open.refused(404, notFound, "GET", getComponent(arn), nil)
	homely.refused(403, denied, "GET", getComponent(arn), nil, arn)
	tool.put(s.signedBy(ingot.AccessKey{ID: "AKIDOTHER", Secret: secret}), shared(account, "Component", arn))
	open.must("GET", getComponent(arn), nil)
	homely.refused(403, denied, "GET", getComponent(arn), nil, arn)
	// Also where it is only named.
	homely.refused(403, denied, "PUT", "/CreateImageRecipe", obj{
		"name": "web", "semanticVersion": "1.0.0", "parentImage": "ami-12345678", "components": []obj{{"componentArn": arn}},
	}, "imagebuilder:GetComponent on resource: "+arn)
}

// TestSharedInReferences: a consumer builds from what it was given.
func TestSharedInReferences(t *testing.T) {
	f := newFactory(t)
	b := f.neighbour()
	tool := shareable{kind: "Component", member: "componentArn", arn: f.createComponent("tool", "1.0.0", docBuild)}
	f.createComponent("tool", "1.1.0", docBuild) // stays with its owner
	recipe := obj{"name": "web", "semanticVersion": "1.0.0", "parentImage": managed + "image/debian-12/x.x.x", "components": []obj{{"componentArn": own + "component/tool/x.x.x"}}}
	b.refused(404, notFound, "PUT", "/CreateImageRecipe", recipe, "component/tool/x.x.x")
	tool.put(f.server, shared(otherAccount, "Component", tool.arn))
	b.must("PUT", "/CreateImageRecipe", recipe)

	ours := shareable{kind: "ImageRecipe", member: "imageRecipeArn", arn: f.recipe}
	infra := b.must("PUT", "/CreateInfrastructureConfiguration", obj{"name": "infra", "instanceProfileName": "p"})["infrastructureConfigurationArn"]
	image := obj{"imageRecipeArn": f.recipe, "infrastructureConfigurationArn": infra}
	b.refused(404, notFound, "PUT", "/CreateImage", image, f.recipe)
	ours.put(f.server, shared(otherAccount, "ImageRecipe", f.recipe))
	if got := b.must("PUT", "/CreateImage", image)["imageBuildVersionArn"]; got != otherOwn+"image/demo/1.0.0/1" {
		t.Errorf("the consumer's image of a shared recipe is %v", got)
	}
	b.must("PUT", "/CreateImagePipeline", obj{"name": "nightly", "imageRecipeArn": f.recipe, "infrastructureConfigurationArn": infra})
	// Infrastructure configurations are not for sharing.
	image["infrastructureConfigurationArn"] = f.infra
	b.refused(404, notFound, "PUT", "/CreateImage", image, f.infra)

	// The consumer's use does not keep the owner from taking it back.
	ours.put(f.server, unshared)
	f.must("DELETE", "/DeleteImageRecipe?imageRecipeArn="+f.recipe, nil)
}

// TestTheSameNameOfSeveralOwners: lists of the owner Shared tell owners apart.
func TestTheSameNameOfSeveralOwners(t *testing.T) {
	s := start(t)
	owners := []string{"444444444444", "555555555555", "666666666666"}
	for i, id := range owners {
		key := fmt.Sprintf("AKID%d", i)
		s.putAdministrator(id, key)
		as := s.signedBy(ingot.AccessKey{ID: key, Secret: secret})
		tool := shareable{kind: "Component", member: "componentArn", arn: as.createComponent("tool", "1.0.0", docBuild)}
		tool.put(as, shared(account, "Component", tool.arn))
	}
	for _, byName := range []bool{false, true} {
		in := obj{"owner": "Shared", "maxResults": 1, "byName": byName}
		for i, owner := range owners {
			page := s.must("POST", "/ListComponents", in)
			if got := dig(page, "componentVersionList", 0, "owner"); got != owner {
				t.Errorf("byName %v: page %d has the owner %v, want %s", byName, i, got, owner)
			}
			if next, more := page["nextToken"]; more != (i < len(owners)-1) {
				t.Errorf("byName %v: after page %d the next token is %v", byName, i, next)
			} else if more {
				in["nextToken"] = next
			}
		}
	}
}
