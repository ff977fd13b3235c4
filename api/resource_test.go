package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/model"
)

// The documents of api.md §12.
const (
	docBuild = `schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands: ['true']
  - name: validate
    steps:
      - name: Look
        action: ExecuteBash
        inputs:
          commands: ['true']
`
	docBuild2 = docBuild + "          # another\n"
	docTest   = `schemaVersion: 1.0
phases:
  - name: test
    steps:
      - name: Try
        action: ExecuteBash
        inputs:
          commands: ['true']
`
	docParameters = `schemaVersion: 1.0
parameters:
  - Level:
      type: string
      default: low
      description: how much
  - Name:
      type: string
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs:
          commands: ['echo {{ Level }} {{ Name }}']
`
	docBadStep = `schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install PowerShell
        action: ExecuteBash
        inputs:
          commands: ['true']
`
)

const (
	invalid     = "InvalidParameterValueException"
	combination = "InvalidParameterCombinationException"
	exists      = "ResourceAlreadyExistsException"
	notFound    = "ResourceNotFoundException"
	dependency  = "ResourceDependencyException"
)

func clock(now *time.Time) func(*api.Config) {
	return func(c *api.Config) { c.Now = func() time.Time { return *now } }
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// component is a CreateComponent request.
func component(name, version, data string) obj {
	return obj{"name": name, "semanticVersion": version, "platform": "Linux", "data": data}
}

// create makes a component and returns its ARN.
func (s *server) createComponent(name, version, data string) string {
	s.t.Helper()
	arn, _ := s.must("PUT", "/CreateComponent", component(name, version, data))["componentBuildVersionArn"].(string)
	return arn
}

func (s *server) getComponent(arn string) map[string]any {
	s.t.Helper()
	c, _ := s.must("GET", "/GetComponent?componentBuildVersionArn="+url.QueryEscape(arn), nil)["component"].(map[string]any)
	return c
}

// putManaged stores a component of the managed catalogue.
func (s *server) putManaged(name, version string, platform model.Platform, status model.ComponentStatus) {
	s.t.Helper()
	arn, err := ingot.ParseARN(managed + "component/" + name + "/" + version + "/1")
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	r, err := ingot.NewComponentRecord(arn, &model.Component{
		Arn: arn.String(), Name: name, Version: version, Platform: platform, Type: model.ComponentTypeBuild,
		Owner: arn.Owner(), State: &model.ComponentState{Status: status}, Data: docBuild, DateCreated: model.DateTime(now),
	}, nil, now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put(r)
}

// putImage stores an available managed image.
func (s *server) putImage(name, version string, image model.Image) {
	s.t.Helper()
	arn, err := ingot.ParseARN(managed + "image/" + name + "/" + version + "/1")
	if err != nil {
		s.t.Fatal(err)
	}
	image.Arn, image.Name, image.Version = arn.String(), name, version+"/1"
	image.State = &model.ImageState{Status: model.ImageStatusAvailable}
	document, err := json.Marshal(image)
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	s.put(ingot.Record{ARN: arn, Name: name, Status: "AVAILABLE", Created: now, Updated: now, Document: document})
}

func TestComponentVersions(t *testing.T) { // I1 to I6, I11, I12
	s := start(t)
	arn := s.createComponent("My_Test Comp", "1.0.0", docBuild)
	if arn != own+"component/my-test-comp/1.0.0/1" {
		t.Fatalf("ARN = %s", arn)
	}
	s.refused(400, exists, "PUT", "/CreateComponent", component("My_Test Comp", "1.0.0", docBuild), arn)
	if got := s.createComponent("My_Test Comp", "1.0.0", docBuild2); got != own+"component/my-test-comp/1.0.0/2" {
		t.Fatalf("second ARN = %s", got)
	}
	builds := s.must("POST", "/ListComponentBuildVersions", obj{"componentVersionArn": own + "component/my-test-comp/1.0.0"})
	if dig(builds, "componentSummaryList", 0, "arn") != own+"component/my-test-comp/1.0.0/2" || dig(builds, "componentSummaryList", 1, "arn") != arn {
		t.Errorf("builds = %v", builds)
	}
	list := s.must("POST", "/ListComponents", nil)
	if n := len(list["componentVersionList"].([]any)); n != 1 || dig(list, "componentVersionList", 0, "arn") != own+"component/my-test-comp/1.0.0" {
		t.Errorf("ListComponents = %v", list)
	}
	for _, tail := range []string{"1.0.0", "x.x.x", "1.x.x", "1.0.0/2"} {
		if got := s.getComponent(own + "component/my-test-comp/" + tail)["arn"]; got != own+"component/my-test-comp/1.0.0/2" {
			t.Errorf("Get %s = %v", tail, got)
		}
	}
	s.refused(400, invalid, "GET", "/GetComponent?componentBuildVersionArn="+own+"component/my-test-comp/x.2.x", nil)
	s.refused(404, notFound, "GET", "/GetComponent?componentBuildVersionArn=arn:aws:imagebuilder:eu-west-1:"+account+":component/my-test-comp/1.0.0", nil)
	s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/my-test-comp/1.0.0/2", nil)
	if got := s.createComponent("My_Test Comp", "1.0.0", docBuild2); got != own+"component/my-test-comp/1.0.0/3" {
		t.Errorf("after the deletion of build 2: %s", got)
	}
	for _, v := range []string{"2.2.4", "1.7.8", "1.6.8"} {
		s.createComponent("many", v, docBuild)
	}
	for pattern, want := range map[string]string{"x.x.x": "2.2.4", "1.x.x": "1.7.8", "1.6.x": "1.6.8"} {
		if got := s.getComponent(own + "component/many/" + pattern)["version"]; got != want {
			t.Errorf("%s resolves to %v, want %s", pattern, got, want)
		}
	}
	byName := s.must("POST", "/ListComponents", obj{"byName": true})
	if dig(byName, "componentVersionList", 0, "arn") != own+"component/many/x.x.x" || dig(byName, "componentVersionList", 0, "version") != "2.2.4" {
		t.Errorf("byName = %v", byName)
	}
}

func TestComponentRules(t *testing.T) { // C1 to C4, C8
	s := start(t)
	s.createComponent("try", "1.0.0", docTest)
	if got := s.getComponent(own + "component/try/1.0.0")["type"]; got != "TEST" {
		t.Errorf("type = %v, want TEST", got)
	}
	both := component("both", "1.0.0", docBuild)
	both["uri"] = "s3://bucket/key"
	s.refused(400, combination, "PUT", "/CreateComponent", both)
	neither := component("neither", "1.0.0", "")
	delete(neither, "data")
	s.refused(400, combination, "PUT", "/CreateComponent", neither)
	s.refused(400, invalid, "PUT", "/CreateComponent", component("bad", "1.0.0", docBadStep), "'data'", "Install PowerShell")
	s.refused(400, invalid, "PUT", "/CreateComponent", component("bad", "1.0.0", "phases: ["), "'data'")
	s.createComponent("parameters", "1.0.0", docParameters)
	c := s.getComponent(own + "component/parameters/1.0.0")
	if dig(c, "parameters", 0, "defaultValue", 0) != "low" || dig(c, "parameters", 1, "name") != "Name" || dig(c, "parameters", 1, "defaultValue") != nil {
		t.Errorf("parameters = %v", c["parameters"])
	}
	mac := component("try", "2.0.0", docTest)
	mac["platform"] = "macOS"
	s.refused(400, invalid, "PUT", "/CreateComponent", mac, "'platform'", "has Linux")
	s.refused(400, invalid, "DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/try/1.0.0", nil)
	s.refused(404, notFound, "DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/try/1.0.0/9", nil)
	s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/try/1.0.0/1", nil)
	s.refused(404, notFound, "DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/try/1.0.0/1", nil)
}

func TestManagedComponents(t *testing.T) { // C9
	s := start(t)
	s.putManaged("update-linux", "1.0.0", model.PlatformLinux, model.ComponentStatusActive)
	s.putManaged("stig-low", "1.0.0", model.PlatformLinux, model.ComponentStatusDeprecated)
	list := s.must("POST", "/ListComponents", obj{"owner": "Amazon", "filters": []obj{{"name": "name", "values": []string{"update-linux"}}}})
	if dig(list, "componentVersionList", 0, "owner") != "Amazon" || dig(list, "componentVersionList", 0, "version") != "1.0.0" {
		t.Errorf("list = %v", list)
	}
	if list := s.must("POST", "/ListComponents", obj{"owner": "Amazon"}); len(list["componentVersionList"].([]any)) != 1 {
		t.Errorf("deprecated components are not hidden: %v", list)
	}
	all := s.must("POST", "/ListComponents", obj{"owner": "Amazon", "filters": []obj{{"name": "status", "values": []string{"DEPRECATED"}}}})
	if dig(all, "componentVersionList", 0, "name") != "stig-low" {
		t.Errorf("status filter = %v", all)
	}
	for _, owner := range []string{"Self", "Shared", "ThirdParty", "AWSMarketplace"} {
		if list := s.must("POST", "/ListComponents", obj{"owner": owner}); len(list["componentVersionList"].([]any)) != 0 {
			t.Errorf("owner %s = %v", owner, list)
		}
	}
	s.refused(403, "ForbiddenException", "DELETE", "/DeleteComponent?componentBuildVersionArn="+managed+"component/update-linux/1.0.0/1", nil)
}

func TestIdempotency(t *testing.T) { // T1 to T3
	s := start(t)
	in := obj{"name": "infra", "instanceProfileName": "profile", "clientToken": "token-1", "tags": obj{"a": "1", "b": "2"}}
	first := s.must("PUT", "/CreateInfrastructureConfiguration", in)
	second := s.must("PUT", "/CreateInfrastructureConfiguration",
		`{"tags":{"b":"2","a":"1"},"description":null,"name":"infra","clientToken":"token-1","instanceProfileName":"profile"}`)
	if first["infrastructureConfigurationArn"] != second["infrastructureConfigurationArn"] || second["clientToken"] != "token-1" {
		t.Errorf("first = %v, second = %v", first, second)
	}
	if first["requestId"] == second["requestId"] {
		t.Error("the replay has the request id of the first answer")
	}
	other := obj{"name": "infra", "instanceProfileName": "profile", "clientToken": "token-1", "description": "x"}
	s.refused(400, "IdempotentParameterMismatchException", "PUT", "/CreateInfrastructureConfiguration", other, "token-1")
	arn := own + "infrastructure-configuration/infra"
	s.must("DELETE", "/DeleteInfrastructureConfiguration?infrastructureConfigurationArn="+arn, nil)
	third := s.must("PUT", "/CreateInfrastructureConfiguration", in)
	if third["infrastructureConfigurationArn"] != arn {
		t.Errorf("third = %v", third)
	}
	s.refused(404, notFound, "GET", "/GetInfrastructureConfiguration?infrastructureConfigurationArn="+arn, nil)
}

func TestTokenExpires(t *testing.T) {
	now := time.Now()
	s := start(t, clock(&now))
	in := obj{"name": "infra", "instanceProfileName": "profile", "clientToken": "token-1"}
	s.must("PUT", "/CreateInfrastructureConfiguration", in)
	now = now.Add(25 * time.Hour)
	s.refused(400, exists, "PUT", "/CreateInfrastructureConfiguration", in)
}

func TestFailureIsNotRemembered(t *testing.T) { // T4, with the means of this round
	s := start(t)
	in := obj{"name": "recipe", "semanticVersion": "1.0.0", "parentImage": managed + "image/debian-12/x.x.x", "clientToken": "t"}
	s.refused(404, notFound, "PUT", "/CreateImageRecipe", in)
	s.putImage("debian-12", "1.0.0", model.Image{Type: model.ImageTypeAmi, Platform: model.PlatformLinux})
	s.must("PUT", "/CreateImageRecipe", in)
}

func TestDryRun(t *testing.T) { // T5, T6
	s := start(t)
	in := component("dry", "1.0.0", docBuild)
	in["dryRun"], in["clientToken"] = true, "t"
	s.refused(412, "DryRunOperationException", "PUT", "/CreateComponent", in, "Request would have succeeded, but dryRun flag is set.")
	if list := s.must("POST", "/ListComponents", nil); len(list["componentVersionList"].([]any)) != 0 {
		t.Errorf("a dry run left %v", list)
	}
	broken := component("dry", "1.0.0", "a: [")
	broken["dryRun"] = true
	s.refused(400, invalid, "PUT", "/CreateComponent", broken, "'data'")
	in["dryRun"] = false
	if got := s.must("PUT", "/CreateComponent", in)["componentBuildVersionArn"]; got != own+"component/dry/1.0.0/1" {
		t.Errorf("the first build is %v", got)
	}
}
