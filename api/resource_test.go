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

func TestComponentsByName(t *testing.T) {
	s := start(t)
	for _, v := range []string{"2.2.4", "1.7.8"} {
		s.createComponent("many", v, docBuild)
	}
	list := s.must("POST", "/ListComponents", obj{"byName": true})["componentVersionList"]
	if dig(list, 0, "arn") != own+"component/many/x.x.x" || dig(list, 0, "version") != "2.2.4" || dig(list, 1) != nil {
		t.Errorf("byName = %v", list)
	}
}

func TestPlatformOfAName(t *testing.T) {
	s := start(t)
	s.createComponent("try", "1.0.0", docTest)
	mac := component("try", "2.0.0", docTest)
	mac["platform"] = "macOS"
	s.refused(400, invalid, "PUT", "/CreateComponent", mac, "'platform'", "has Linux")
}

func TestDeleteComponentTwice(t *testing.T) {
	s := start(t)
	arn := s.createComponent("try", "1.0.0", docTest)
	s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
	s.refused(404, notFound, "DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
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

func TestTokenExpires(t *testing.T) {
	now := time.Now()
	s := start(t, clock(&now))
	in := obj{"name": "infra", "instanceProfileName": "profile", "clientToken": "token-1"}
	s.must("PUT", "/CreateInfrastructureConfiguration", in)
	now = now.Add(25 * time.Hour)
	s.refused(400, exists, "PUT", "/CreateInfrastructureConfiguration", in)
}
