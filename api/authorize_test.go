package api_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
)

const (
	denied    = "AccessDeniedException"
	forbidden = "ForbiddenException"
	otherOwn  = "arn:aws:imagebuilder:us-east-1:" + otherAccount + ":"
)

func principal(account string, kind ingot.PrincipalKind, name string) ingot.PrincipalName {
	return ingot.PrincipalName{Account: account, Kind: kind, Name: name}
}

// signedBy is the same server, called by the holder of a key.
func (s *server) signedBy(k ingot.AccessKey) *server {
	as := *s
	as.credentials = aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
	return &as
}

// user makes a user of the first account with identity policies of these
// statements, and returns the server as it sees it.
func (s *server) user(name string, statements ...string) *server {
	s.t.Helper()
	return s.signedBy(s.userKey(name, statements...))
}

func (s *server) userKey(name string, statements ...string) (key ingot.AccessKey) {
	s.t.Helper()
	ctx, who := context.Background(), principal(account, ingot.PrincipalUser, name)
	s.write(func(tx ingot.Tx) (err error) {
		if _, err = ingot.CreatePrincipal(ctx, tx, who, map[string]string{"team": "web"}, s.now()); err != nil {
			return err
		}
		key, err = ingot.CreateAccessKey(ctx, tx, who, s.now())
		return err
	})
	s.attach(who, statements...)
	return key
}

// attach replaces the policy of a principal; without statements it has none.
func (s *server) attach(who ingot.PrincipalName, statements ...string) {
	s.t.Helper()
	if len(statements) == 0 {
		return
	}
	p := ingot.IdentityPolicy{Name: "p", Document: `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`}
	s.write(func(tx ingot.Tx) error { return ingot.AttachPolicy(context.Background(), tx, who, p) })
}

func allows(action, resource string) string { return statement("Allow", action, resource, "{}") }

func denies(action, resource string) string { return statement("Deny", action, resource, "{}") }

func statement(effect, action, resource, condition string) string {
	return fmt.Sprintf(`{"Effect": %q, "Action": %q, "Resource": %q, "Condition": %s}`, effect, action, resource, condition)
}

func aComponent(name string) obj {
	return obj{"name": name, "semanticVersion": "1.0.0", "platform": "Linux", "data": docBuild}
}

func getComponent(arn string) string {
	return "/GetComponent?componentBuildVersionArn=" + url.QueryEscape(arn)
}

func TestDenied(t *testing.T) { // A1
	s := start(t)
	arn := s.createComponent("tool", "1.0.0", docBuild)
	reader := s.user("reader", allows("imagebuilder:Get*", "*"))
	who := "User: arn:aws:iam::" + account + ":user/reader is not authorized to perform: imagebuilder:"
	reader.refused(403, denied, "PUT", "/CreateComponent", aComponent("other"),
		who+"CreateComponent on resource: "+own+"component/other/1.0.0/* because no identity-based policy allows the imagebuilder:CreateComponent action")
	reader.must("GET", getComponent(arn), nil)
	// Whether something exists is not told to who may not ask for it.
	reader.refused(403, denied, "DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/none/1.0.0/1", nil,
		who+"DeleteComponent on resource: "+own+"component/none/1.0.0/1")
	reader.refused(404, notFound, "GET", getComponent(own+"component/none/1.0.0/1"), nil)
	// What the model refuses is told before, and a client token after.
	reader.refused(400, invalid, "POST", "/ListComponents", obj{"maxResults": 26})
	s.must("PUT", "/CreateComponent", obj{"name": "twice", "semanticVersion": "1.0.0", "platform": "Linux", "data": docBuild, "clientToken": "t"})
	reader.refused(403, denied, "PUT", "/CreateComponent", obj{"name": "twice", "semanticVersion": "1.0.0", "platform": "Linux", "data": docBuild, "clientToken": "t"})

	s.attach(principal(account, ingot.PrincipalUser, "reader"), allows("imagebuilder:*", "*"), denies("imagebuilder:GetComponent", own+"component/tool/*"))
	reader.refused(403, denied, "GET", getComponent(arn), nil, who+"GetComponent on resource: "+arn+" with an explicit deny in an identity-based policy")
	// A version that is spelt with zeros is the same resource.
	reader.refused(403, denied, "GET", getComponent(own+"component/tool/1.0.00/1"), nil)
	s.attach(principal(account, ingot.PrincipalUser, "reader"), allows("imagebuilder:*", "*"), denies("imagebuilder:DeleteComponent", arn))
	reader.refused(403, denied, "DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/tool/1.00.0/1", nil, arn)
	reader.must("GET", getComponent(arn), nil)
}

// TestKeyWithoutPolicies may do everything in its account and nothing in others.
func TestKeyWithoutPolicies(t *testing.T) {
	s := start(t)
	arn := s.createComponent("tool", "1.0.0", docBuild)
	s.putAdministrator(otherAccount, "AKIDOTHER")
	other := s.signedBy(ingot.AccessKey{ID: "AKIDOTHER", Secret: secret})
	if got := other.createComponent("tool", "1.0.0", docBuild); got != otherOwn+"component/tool/1.0.0/1" {
		t.Errorf("the other account's component is %s", got)
	}
	other.refused(404, notFound, "GET", getComponent(arn), nil)
	other.refused(403, forbidden, "DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
	other.refused(403, forbidden, "POST", "/tags/"+url.PathEscape(arn), obj{"tags": obj{"a": "b"}})
	free := s.user("free")
	free.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
	if list := other.must("POST", "/ListComponents", obj{}); dig(list, "componentVersionList", 0, "owner") != otherAccount || dig(list, "componentVersionList", 1) != nil {
		t.Errorf("the other account lists %v", list)
	}
}

// TestConditionKeys tries every key of api.md §9.2 against what it is read from.
func TestConditionKeys(t *testing.T) {
	f := newFactory(t)
	arn := f.createComponent("tool", "1.0.0", docBuild)
	f.must("POST", "/tags/"+url.PathEscape(arn), obj{"tags": obj{"team": "web"}})
	infrastructure := obj{
		"name": "infra", "instanceProfileName": "profile", "resourceTags": obj{"stage": "prod"},
		"instanceMetadataOptions": obj{"httpTokens": "required"}, "snsTopicArn": "arn:aws:sns:us-east-1:" + account + ":news",
	}
	policy := obj{
		"name": "tidy", "executionRole": "lifecycle", "resourceType": "AMI_IMAGE",
		"policyDetails":     []obj{{"action": obj{"type": "DELETE", "includeResources": obj{"amis": true}}, "filter": obj{"type": "COUNT", "value": 2}}},
		"resourceSelection": obj{"recipes": []obj{{"name": "web", "semanticVersion": "1.0.0"}}},
	}
	tagged := aComponent("tagged")
	tagged["tags"] = obj{"team": "web"}
	for i, c := range []struct {
		method, path string
		in           obj
		holds, fails string // a condition that is met, and one that is not
	}{
		{"PUT", "/CreateComponent", tagged, `{"StringEquals": {"aws:RequestTag/team": "web"}}`, `{"StringEquals": {"aws:RequestTag/team": "db"}}`},
		{"PUT", "/CreateComponent", tagged, `{"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "x"]}}`, `{"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}`},
		{"PUT", "/CreateComponent", aComponent("bare"), `{"Null": {"aws:TagKeys": "true"}}`, `{"Null": {"aws:TagKeys": "false"}}`},
		{"DELETE", "/tags/" + url.PathEscape(arn) + "?tagKeys=other", nil, `{"ForAnyValue:StringEquals": {"aws:TagKeys": "other"}}`, `{"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}`},
		{"GET", getComponent(arn), nil, `{"StringEquals": {"aws:ResourceTag/team": "web"}}`, `{"StringEquals": {"aws:ResourceTag/team": "db"}}`},
		{"GET", getComponent(own + "component/tool/x.x.x"), nil, `{"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}`, `{"StringNotEquals": {"aws:ResourceTag/team": "web"}}`},
		{"PUT", "/CreateInfrastructureConfiguration", infrastructure, `{"StringEquals": {"imagebuilder:CreatedResourceTag/stage": "prod"}}`, `{"StringEquals": {"imagebuilder:CreatedResourceTag/stage": "test"}}`},
		{"PUT", "/CreateInfrastructureConfiguration", infrastructure, `{"ForAllValues:StringEquals": {"imagebuilder:CreatedResourceTagKeys": "stage"}}`, `{"ForAllValues:StringEquals": {"imagebuilder:CreatedResourceTagKeys": "x"}}`},
		{"PUT", "/CreateInfrastructureConfiguration", infrastructure, `{"StringEquals": {"imagebuilder:Ec2MetadataHttpTokens": "required"}}`, `{"StringEquals": {"imagebuilder:Ec2MetadataHttpTokens": "optional"}}`},
		{"PUT", "/CreateInfrastructureConfiguration", infrastructure, `{"ArnLike": {"imagebuilder:StatusTopicArn": "arn:aws:sns:*:*:news"}}`, `{"ArnLike": {"imagebuilder:StatusTopicArn": "arn:aws:sns:*:*:other"}}`},
		{"PUT", "/CreateLifecyclePolicy", policy, `{"StringEquals": {"imagebuilder:LifecyclePolicyResourceType": "AMI_IMAGE"}}`, `{"StringEquals": {"imagebuilder:LifecyclePolicyResourceType": "CONTAINER_IMAGE"}}`},
		{"GET", getComponent(arn), nil, `{"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}`, `{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`},
		{"GET", getComponent(arn), nil, `{"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}`, `{"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}`},
		{"GET", getComponent(arn), nil, `{"NumericGreaterThan": {"aws:EpochTime": "1577836800"}}`, `{"NumericLessThan": {"aws:EpochTime": "1577836800"}}`},
		{"GET", getComponent(arn), nil, `{"Bool": {"aws:SecureTransport": "false"}}`, `{"Bool": {"aws:SecureTransport": "true"}}`},
		{"GET", getComponent(arn), nil, `{"StringEquals": {"aws:RequestedRegion": "us-east-1"}}`, `{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}`},
		{"GET", getComponent(arn), nil, `{"StringLike": {"aws:UserAgent": "Go-http-client/*"}}`, `{"StringLike": {"aws:UserAgent": "aws-cli/*"}}`},
		{"GET", getComponent(arn), nil, `{"StringEquals": {"aws:PrincipalAccount": "` + account + `"}}`, `{"StringEquals": {"aws:PrincipalAccount": "` + otherAccount + `"}}`},
		{"GET", getComponent(arn), nil, `{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/u*"}}`, `{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}`},
		{"GET", getComponent(arn), nil, `{"StringLike": {"aws:userid": "AIDA*"}}`, `{"StringLike": {"aws:userid": "AROA*"}}`},
	} {
		t.Run(c.path+" "+c.holds, func(t *testing.T) {
			f.t = t
			name := fmt.Sprintf("u%d", i)
			u := f.user(name, statement("Allow", "imagebuilder:*", "*", c.fails))
			u.t = t
			u.refused(403, denied, c.method, c.path, c.in)
			f.attach(principal(account, ingot.PrincipalUser, name), statement("Allow", "imagebuilder:*", "*", c.holds))
			if a := u.call(c.method, c.path, c.in); a.exception() == denied {
				t.Errorf("refused although the condition is met: %s", a.message())
			}
		})
	}
}

// TestAlsoNeeded tries what operations come with: api.md §9.1.
func TestAlsoNeeded(t *testing.T) {
	f := newFactory(t)
	tool := f.createComponent("tool", "1.0.0", docBuild)
	recipe := obj{"name": "new", "semanticVersion": "1.0.0", "parentImage": managed + "image/debian-12/x.x.x", "components": []obj{{"componentArn": tool}}}
	image := obj{"imageRecipeArn": f.recipe, "infrastructureConfigurationArn": f.infra, "tags": obj{"team": "web"}, "executionRole": "builder"}
	pipeline := f.must("PUT", "/CreateImagePipeline", obj{"name": "nightly", "imageRecipeArn": f.recipe, "infrastructureConfigurationArn": f.infra})["imagePipelineArn"]
	built := strings.Replace(f.recipe, "image-recipe", "image", 1) + "/*"
	for i, c := range []struct {
		operation string
		in        obj
		has       []string // what the caller is allowed
		lacks     string   // action and resource in the message; empty: allowed
	}{
		{"CreateImageRecipe", recipe, []string{"imagebuilder:CreateImageRecipe"}, "imagebuilder:GetImage on resource: " + managed + "image/debian-12/x.x.x"},
		{"CreateImageRecipe", recipe, []string{"imagebuilder:CreateImageRecipe", "imagebuilder:GetImage"}, "imagebuilder:GetComponent on resource: " + tool},
		{"CreateImageRecipe", recipe, []string{"imagebuilder:CreateImageRecipe", "imagebuilder:GetImage", "imagebuilder:GetComponent"}, ""},
		{"CreateImage", image, []string{"imagebuilder:CreateImage"}, "imagebuilder:TagResource on resource: " + built},
		{"CreateImage", image, []string{"imagebuilder:CreateImage", "imagebuilder:TagResource"}, "imagebuilder:GetImageRecipe on resource: " + f.recipe},
		{"CreateImage", image, []string{"imagebuilder:CreateImage", "imagebuilder:TagResource", "imagebuilder:GetImageRecipe"}, "imagebuilder:GetInfrastructureConfiguration on resource: " + f.infra},
		{"CreateImage", image, []string{"imagebuilder:*"}, ""},                                                                                // iam: is not looked at
		{"CreateImage", image, []string{"imagebuilder:*", "iam:Get*"}, "iam:PassRole on resource: arn:aws:iam::" + account + ":role/builder"}, // now it is
		{"CreateImage", image, []string{"imagebuilder:*", "iam:PassRole"}, ""},
		{"StartImagePipelineExecution", obj{"imagePipelineArn": pipeline, "tags": obj{"a": "b"}}, []string{"imagebuilder:StartImagePipelineExecution"}, "imagebuilder:TagResource on resource: " + built},
		{"StartImagePipelineExecution", obj{"imagePipelineArn": pipeline}, []string{"imagebuilder:StartImagePipelineExecution"}, ""},
		{"CreateInfrastructureConfiguration", obj{"name": "x-y", "instanceProfileName": "prof"}, []string{"imagebuilder:*", "iam:PassRole"}, "iam:GetInstanceProfile on resource: arn:aws:iam::" + account + ":instance-profile/prof"},
		{"CreateInfrastructureConfiguration", obj{"name": "x-z", "instanceProfileName": "prof", "snsTopicArn": "arn:aws:sns:us-east-1:" + account + ":t"}, []string{"imagebuilder:*", "sns:List*"}, "sns:Publish on resource: arn:aws:sns:us-east-1:" + account + ":t"},
		{"CreateWorkflow", obj{"name": "flow", "semanticVersion": "1.0.0", "type": "BUILD", "data": "x"}, []string{"imagebuilder:Get*"}, "imagebuilder:CreateWorkflow on resource: " + own + "workflow/build/flow/1.0.0/*"},
		{"ListWorkflowBuildVersions", obj{}, []string{"imagebuilder:Get*"}, "imagebuilder:ListWorkflowBuildVersions on resource: *"},
		{"CancelLifecycleExecution", obj{"lifecycleExecutionId": "lce-00000000-0000-4000-8000-000000000000"}, []string{"imagebuilder:Get*"}, "imagebuilder:CancelLifecycleExecution on resource: " + own + "lifecycle-execution/lce-00000000-0000-4000-8000-000000000000"},
	} {
		t.Run(fmt.Sprintf("%d %s", i, c.operation), func(t *testing.T) {
			var statements []string
			for _, action := range c.has {
				statements = append(statements, allows(action, "*"))
			}
			f.t = t
			method := "PUT"
			if strings.HasPrefix(c.operation, "List") {
				method = "POST"
			}
			u := f.user(fmt.Sprintf("u%d", i), statements...)
			a := u.call(method, "/"+c.operation, c.in)
			if c.lacks == "" && a.exception() == denied || c.lacks != "" && (a.exception() != denied || !strings.Contains(a.message(), "perform: "+c.lacks+" because")) {
				t.Errorf("%d %s: %s\nwant it to lack %q", a.Status, a.exception(), a.message(), c.lacks)
			}
		})
	}
}

// TestPassedToService: a role is passed to the service that gets it.
func TestPassedToService(t *testing.T) {
	f := newFactory(t)
	pass := func(service string) string {
		return statement("Allow", "iam:PassRole", "*", `{"StringEquals": {"iam:PassedToService": "`+service+`"}}`)
	}
	image := obj{"imageRecipeArn": f.recipe, "infrastructureConfigurationArn": f.infra, "executionRole": "builder"}
	f.user("wrong", allows("imagebuilder:*", "*"), pass("ec2.amazonaws.com")).refused(403, denied, "PUT", "/CreateImage", image, "iam:PassRole")
	f.user("right", allows("imagebuilder:*", "*"), pass("imagebuilder.amazonaws.com")).must("PUT", "/CreateImage", image)
}

// TestKeysAndSessions: what may sign, and what it is told when it may not.
func TestKeysAndSessions(t *testing.T) {
	now := time.Now()
	s := start(t, clock(&now))
	ctx := context.Background()
	key := s.userKey("ann")
	ann := s.signedBy(key)
	list := func(s *server) answer { return s.call("POST", "/ListComponents", nil) }
	want := func(doing string, s *server, exception string) {
		t.Helper()
		if a := list(s); a.exception() != exception || exception != "" && a.Status != 403 {
			t.Errorf("%s: %d %s (%s), want 403 %s", doing, a.Status, a.exception(), a.message(), exception)
		}
	}
	const unknown, expired = "UnrecognizedClientException", "ExpiredTokenException"
	want("a key", ann, "")
	want("an unknown key", s.signedBy(ingot.AccessKey{ID: "AKIANOBODY", Secret: secret}), unknown)
	want("a token that the key has not", s.signedBy(ingot.AccessKey{ID: key.ID, Secret: key.Secret, Token: "x"}), unknown)
	s.write(func(tx ingot.Tx) error { return ingot.EnableAccessKey(ctx, tx, key.ID, false) })
	want("a disabled key", ann, unknown)
	s.write(func(tx ingot.Tx) error { return ingot.EnableAccessKey(ctx, tx, key.ID, true) })
	want("an enabled key", ann, "")

	var session ingot.AccessKey
	role := principal(account, ingot.PrincipalRole, "build")
	s.write(func(tx ingot.Tx) (err error) {
		if _, err = ingot.CreatePrincipal(ctx, tx, role, nil, now); err != nil {
			return err
		}
		session, err = ingot.CreateSession(ctx, tx, role, "ci-7", time.Hour, now)
		return err
	})
	s.attach(role, allows("imagebuilder:ListComponents", "*"))
	want("a session", s.signedBy(session), "")
	s.signedBy(session).refused(403, denied, "PUT", "/CreateComponent", aComponent("x-y"),
		"User: arn:aws:sts::"+account+":assumed-role/build/ci-7 is not authorized to perform: imagebuilder:CreateComponent")
	without, wrong := session, session
	without.Token, wrong.Token = "", "wrong"
	want("a session without its token", s.signedBy(without), unknown)
	want("a session with another token", s.signedBy(wrong), unknown)
	now = now.Add(time.Hour)
	want("a session that is over", s.signedBy(session), expired)
	s.write(func(tx ingot.Tx) error {
		return tx.DeletePrincipal(ctx, principal(account, ingot.PrincipalUser, "ann"))
	})
	want("a key whose user is gone", ann, unknown)
}

// TestRegionsAreNamespaces: a server may have several, and each its own resources.
func TestRegionsAreNamespaces(t *testing.T) {
	s := start(t, func(c *api.Config) { c.Regions = []string{region, "eu-west-1"} })
	arn := s.createComponent("tool", "1.0.0", docBuild)
	there := *s
	there.region = "eu-west-1"
	there.refused(404, notFound, "GET", getComponent(arn), nil) // I12
	if got := there.createComponent("tool", "1.0.0", docBuild); got != strings.Replace(arn, region, "eu-west-1", 1) {
		t.Errorf("the component of the other region is %s", got)
	}
	there.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+strings.Replace(arn, region, "eu-west-1", 1), nil)
	s.must("GET", getComponent(arn), nil)
	// A policy may be for one region.
	local := s.user("local", allows("imagebuilder:*", "arn:aws:imagebuilder:us-east-1:*:*"))
	local.must("GET", getComponent(arn), nil)
	local.region = "eu-west-1"
	local.refused(403, denied, "PUT", "/CreateComponent", aComponent("other"), "arn:aws:imagebuilder:eu-west-1:"+account+":component/other")
	there.region = "us-west-2"
	there.refused(403, "InvalidSignatureException", "POST", "/ListComponents", nil, "us-east-1, eu-west-1")
}

// TestChangesCountAtOnce: what was kept of an identity before a change is of no
// use after it, also while other requests keep what they find.
func TestChangesCountAtOnce(t *testing.T) {
	s := start(t)
	key := s.userKey("ann", allows("imagebuilder:List*", "*"))
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for as := s.signedBy(key); ctx.Err() == nil; {
				as.call("POST", "/ListImages", nil)
			}
		})
	}
	ann := s.signedBy(key)
	for i := range 40 {
		statement, want := allows("imagebuilder:List*", "*"), ""
		if i%2 == 0 {
			statement, want = denies("imagebuilder:List*", "*"), denied
		}
		s.attach(key.Holder, statement)
		if a := ann.call("POST", "/ListComponents", nil); a.exception() != want {
			t.Errorf("after change %d: %d %q, want %q", i, a.Status, a.exception(), want)
		}
	}
	cancel()
	others.Wait()
}

// TestUnreadablePolicyAllowsNothing: it may hold a Deny.
func TestUnreadablePolicyAllowsNothing(t *testing.T) {
	s := start(t)
	ann := s.user("ann")
	who := principal(account, ingot.PrincipalUser, "ann")
	s.write(func(tx ingot.Tx) error {
		return tx.PutIdentityPolicy(context.Background(), who, ingot.IdentityPolicy{Name: "broken", Document: "{"})
	})
	ann.refused(500, "ServiceException", "POST", "/ListComponents", nil)
	if !strings.Contains(s.Log.String(), "reading policy broken of user ann") {
		t.Errorf("the log does not name the policy:\n%s", s.Log)
	}
}

// BenchmarkAuthorized compares a request of an administrator, without policies
// to judge, with one of a user that has some.
func BenchmarkAuthorized(b *testing.B) {
	s := start(b)
	arn := s.createComponent("tool", "1.0.0", docBuild)
	for name, as := range map[string]*server{
		"administrator": s,
		"user":          s.user("ann", allows("imagebuilder:Get*", own+"component/*"), denies("imagebuilder:Delete*", "*")),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				as.must("GET", getComponent(arn), nil)
			}
		})
	}
}

// TestEveryOperationIsAuthorized: whoever is denied an operation hears of it
// and of the resource, whatever else it may do, and nothing has happened.
func TestEveryOperationIsAuthorized(t *testing.T) {
	w := newWorld(t)
	u := w.user("somebody", allows("*", "*"))
	for _, r := range w.requests() {
		route := routeOf(r.operation)
		path, body := onTheWire(route, r.in)
		w.attach(principal(account, ingot.PrincipalUser, "somebody"), allows("*", "*"), denies("imagebuilder:"+r.operation, "*"))
		a := u.call(route.Method, path, body)
		want := "not authorized to perform: imagebuilder:" + r.operation + " on resource: "
		_, resource, told := strings.Cut(a.message(), want)
		if a.Status != 403 || a.exception() != denied || !told || !strings.HasPrefix(resource, "arn:aws:imagebuilder:") && !strings.HasPrefix(resource, "* with") {
			t.Errorf("%s = %d %s: %s", r.operation, a.Status, a.exception(), a.message())
		}
	}
	// And nothing but policies stood in the way.
	w.attach(principal(account, ingot.PrincipalUser, "somebody"), allows("*", "*"))
	for _, r := range w.requests() {
		route := routeOf(r.operation)
		path, body := onTheWire(route, r.in)
		if a := u.call(route.Method, path, body); a.exception() != r.exception {
			t.Errorf("%s, allowed = %d %s %s, want %q", r.operation, a.Status, a.exception(), a.message(), r.exception)
		}
	}
}
