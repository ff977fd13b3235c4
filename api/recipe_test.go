package api_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/model"
)

// withCatalogue is a server with a few managed resources.
func withCatalogue(t *testing.T, change ...func(*api.Config)) *server {
	s := start(t, change...)
	s.putManaged("update-linux", "1.0.2", model.PlatformLinux, model.ComponentStatusActive)
	s.putManaged("update-windows", "1.0.1", model.PlatformWindows, model.ComponentStatusActive)
	s.putManaged("stig-low", "2.6.0", model.PlatformLinux, model.ComponentStatusDeprecated)
	s.putImage("debian-12", "2025.1.1", model.Image{Type: model.ImageTypeAmi, Platform: model.PlatformLinux, OsVersion: "Debian 12"})
	s.putImage("win", "2025.1.1", model.Image{Type: model.ImageTypeAmi, Platform: model.PlatformWindows, OsVersion: "Microsoft Windows Server 2022"})
	s.putImage("box", "2025.1.1", model.Image{Type: model.ImageTypeDocker, Platform: model.PlatformLinux})
	return s
}

const parentImage = managed + "image/debian-12/x.x.x"

// recipe is a CreateImageRecipe request with changes; nil takes a member out.
func recipe(name, version string, changes obj) obj {
	in := obj{"name": name, "semanticVersion": version, "parentImage": parentImage}
	for k, v := range changes {
		if in[k] = v; v == nil {
			delete(in, k)
		}
	}
	return in
}

func (s *server) getRecipe(arn string) map[string]any {
	s.t.Helper()
	r, _ := s.must("GET", "/GetImageRecipe?imageRecipeArn="+arn, nil)["imageRecipe"].(map[string]any)
	return r
}

func TestRecipeIsVerbatim(t *testing.T) { // R1, R2, I10
	s := withCatalogue(t)
	in := recipe("Web Server", "1.2.3", obj{
		"components": []any{obj{"componentArn": managed + "component/update-linux/x.x.x"}},
		"blockDeviceMappings": []any{
			obj{"deviceName": "/dev/sdb", "noDevice": ""},
			obj{"ebs": obj{"volumeSize": 10.0, "kmsKeyId": "key", "iops": 100.0}},
		},
		"amiTags": obj{"team": "{{ imagebuilder:buildVersion }}"}, "amiWatermarks": []any{"one mark", "Two"},
		"tags": obj{"a": "b"}, "description": "Web",
	})
	created := s.must("PUT", "/CreateImageRecipe", in)
	arn := own + "image-recipe/web-server/1.2.3"
	got := s.getRecipe(arn)
	if date, _ := got["dateCreated"].(string); !strings.HasSuffix(date, "Z") {
		t.Errorf("dateCreated = %v", got["dateCreated"])
	}
	delete(got, "dateCreated")
	want := obj{"arn": arn, "version": "1.2.3", "owner": account, "platform": "Linux", "type": "AMI"}
	for k, v := range in {
		if k != "semanticVersion" {
			want[k] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the recipe is not verbatim (-want +got):\n%s", diff)
	}
	references := obj{
		"latestVersionArn":      own + "image-recipe/web-server/x.x.x",
		"latestMajorVersionArn": own + "image-recipe/web-server/1.x.x",
		"latestMinorVersionArn": own + "image-recipe/web-server/1.2.x",
		"latestPatchVersionArn": arn,
	}
	if diff := cmp.Diff(references, created["latestVersionReferences"]); diff != "" {
		t.Errorf("latestVersionReferences (-want +got):\n%s", diff)
	}
	list := s.must("POST", "/ListImageRecipes", obj{"filters": []obj{{"name": "parentImage", "values": []string{parentImage}}}})
	if dig(list, "imageRecipeSummaryList", 0, "arn") != arn || dig(list, "imageRecipeSummaryList", 0, "tags", "a") != "b" {
		t.Errorf("ListImageRecipes = %v", list)
	}
}

func TestRecipeVersions(t *testing.T) {
	s := withCatalogue(t)
	for _, c := range [][2]string{
		{"x.x.x", "1.0.0"},
		{"0.0.x", "0.0.1"},
		{"1.4.2", "1.4.2"},
		{"1.x.x", "1.5.0"},
		{"1.4.x", "1.4.3"},
		{"2.3.4", "2.3.4"},
		{"x.x.x", "3.0.0"},
		{"3.1.x", "3.1.0"},
		{"9.9.1073741823", "9.9.1073741823"},
	} {
		if got := s.must("PUT", "/CreateImageRecipe", recipe("demo", c[0], nil))["imageRecipeArn"]; got != own+"image-recipe/demo/"+c[1] {
			t.Errorf("%s allocates %v, want %s", c[0], got, c[1])
		}
	}
	s.refused(400, "InvalidVersionNumberException", "PUT", "/CreateImageRecipe", recipe("demo", "9.9.x", nil))
	for _, version := range []string{"x.1.x", "1.x.1", "1.0.1073741824"} {
		s.refused(400, "InvalidVersionNumberException", "PUT", "/CreateImageRecipe", recipe("demo", version, nil))
	}
}

func TestRecipeRefusals(t *testing.T) { // R3 to R7 and the rest of §3.2
	s := withCatalogue(t)
	s.createComponent("level", "1.0.0", docParameters)
	arn := managed + "component/update-linux/1.0.2/1"
	use := func(components ...obj) obj { return obj{"components": components} }
	level := func(parameters ...obj) obj {
		return use(obj{"componentArn": own + "component/level/x.x.x", "parameters": parameters})
	}
	name := obj{"name": "Name", "value": []string{"n"}}
	many := make([]obj, 21)
	for i := range many {
		many[i] = obj{"componentArn": fmt.Sprintf("%scomponent/c-%d/1.0.0", own, i)}
	}
	large := base64.StdEncoding.EncodeToString([]byte("#!/bin/sh"))
	for title, c := range map[string]struct {
		status    int
		exception string
		change    obj
		part      string
	}{
		"component twice":        {400, invalid, use(obj{"componentArn": arn}, obj{"componentArn": managed + "component/update-linux/x.x.x"}), "components[1]"},
		"windows component":      {400, invalid, use(obj{"componentArn": managed + "component/update-windows/x.x.x"}), "components[0].componentArn"},
		"deprecated component":   {400, invalid, use(obj{"componentArn": managed + "component/stig-low/2.6.0"}), "DEPRECATED"},
		"absent component":       {404, notFound, use(obj{"componentArn": own + "component/nope/1.0.0/1"}), "nope"},
		"foreign component":      {404, notFound, use(obj{"componentArn": "arn:aws:imagebuilder:us-east-1:999999999999:component/nope/1.0.0/1"}), ""},
		"no components":          {400, invalid, obj{"components": []obj{}}, "components"},
		"21 components":          {400, invalid, use(many...), "20"},
		"two values":             {400, invalid, level(obj{"name": "Name", "value": []string{"a", "b"}}), "components[0].parameters[0].value"},
		"no value":               {400, invalid, level(obj{"name": "Name", "value": []string{}}), "value"},
		"undeclared parameter":   {400, invalid, level(name, obj{"name": "Other", "value": []string{"a"}}), "Other"},
		"parameter twice":        {400, invalid, level(name, name), "twice"},
		"parameter missing":      {400, invalid, use(obj{"componentArn": own + "component/level/x.x.x"}), "'Name'"},
		"long parameter":         {400, invalid, level(obj{"name": "Name", "value": []string{strings.Repeat("x", 1025)}}), "1024"},
		"absent parent":          {404, notFound, obj{"parentImage": managed + "image/nope/x.x.x"}, "nope"},
		"parent is a container":  {400, invalid, obj{"parentImage": managed + "image/box/x.x.x"}, "container"},
		"parent is a component":  {400, invalid, obj{"parentImage": arn}, "parentImage"},
		"absent AMI":             {400, invalid, obj{"parentImage": "ami-0123456789abcdef0"}, "ami-0123456789abcdef0"},
		"marketplace":            {400, invalid, obj{"parentImage": "prod-abc123"}, "marketplace"},
		"nonsense parent":        {400, invalid, obj{"parentImage": "debian"}, "parentImage"},
		"missing parent":         {400, "InvalidParameterException", obj{"parentImage": nil}, "parentImage"},
		"device twice":           {400, invalid, obj{"blockDeviceMappings": []obj{{"deviceName": "/dev/sda"}, {"deviceName": "/dev/sda"}}}, "blockDeviceMappings[1].deviceName"},
		"volume too large":       {400, invalid, obj{"blockDeviceMappings": []obj{{"ebs": obj{"volumeSize": 16001}}}}, "blockDeviceMappings[0].ebs.volumeSize"},
		"noDevice not empty":     {400, invalid, obj{"blockDeviceMappings": []obj{{"noDevice": "x"}}}, "noDevice"},
		"reserved AMI tag":       {400, invalid, obj{"amiTags": obj{"CreatedBy": "me"}}, "CreatedBy"},
		"watermark twice":        {400, invalid, obj{"amiWatermarks": []string{"abc", "abc"}}, "amiWatermarks[1]"},
		"watermark blank at end": {400, invalid, obj{"amiWatermarks": []string{"abc "}}, "amiWatermarks[0]"},
		"user data":              {400, invalid, obj{"additionalInstanceConfiguration": obj{"userDataOverride": "a$b"}}, "userDataOverride"},
		"agent on windows": {400, invalid, obj{
			"parentImage": managed + "image/win/x.x.x", "additionalInstanceConfiguration": obj{"systemsManagerAgent": obj{}, "userDataOverride": large},
		}, "systemsManagerAgent"},
		"quote on windows": {400, invalid, obj{"parentImage": managed + "image/win/x.x.x", "workingDirectory": `C:/"`}, "workingDirectory"},
	} {
		t.Run(title, func(t *testing.T) {
			s.t = t
			s.refused(c.status, c.exception, "PUT", "/CreateImageRecipe", recipe("bad", "1.0.0", c.change), c.part)
		})
	}
	s.t = t
	s.must("PUT", "/CreateImageRecipe", recipe("good", "1.0.0", level(name)))
}

func TestSupportedOSVersions(t *testing.T) {
	s := withCatalogue(t)
	for name, version := range map[string]string{"debian-any": "Debian", "ubuntu-only": "Ubuntu 24"} {
		in := component(name, "1.0.0", docBuild)
		in["supportedOsVersions"] = []string{version}
		s.must("PUT", "/CreateComponent", in)
	}
	use := func(name string) obj {
		return obj{"components": []obj{{"componentArn": own + "component/" + name + "/x.x.x"}}}
	}
	s.must("PUT", "/CreateImageRecipe", recipe("fits", "1.0.0", use("debian-any")))
	s.refused(400, invalid, "PUT", "/CreateImageRecipe", recipe("fits-not", "1.0.0", use("ubuntu-only")), "Ubuntu 24", "Debian 12")
}

func TestRecipeOfAnAMI(t *testing.T) {
	s := start(t)
	ami := ingot.AMI{
		Scope: ingot.Scope{Account: account, Region: region}, ID: "ami-0123456789abcdef0", Name: "mine",
		Architecture: "x86_64", Platform: "Windows", Snapshot: "snap", Created: time.Now(),
	}
	if err := s.Store.RegisterAMI(context.Background(), ami); err != nil {
		t.Fatal(err)
	}
	s.must("PUT", "/CreateImageRecipe", recipe("windows", "1.0.0", obj{"parentImage": ami.ID}))
	if got := s.getRecipe(own + "image-recipe/windows/1.0.0")["platform"]; got != "Windows" {
		t.Errorf("platform = %v", got)
	}
	s.must("PUT", "/CreateImageRecipe", recipe("parameter", "1.0.0", obj{"parentImage": "ssm:/aws/service/ami"}))
	if got := s.getRecipe(own + "image-recipe/parameter/x.x.x")["platform"]; got != "Linux" {
		t.Errorf("platform = %v", got)
	}
}

func TestVersionInUse(t *testing.T) {
	s := withCatalogue(t)
	arn := s.createComponent("tool", "1.0.0", docBuild)
	s.must("PUT", "/CreateImageRecipe", recipe("user", "1.0.0", uses(own+"component/tool/1.0.0")))
	s.refused(400, dependency, "DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil, arn)
	s.refused(400, invalid, "DELETE", "/DeleteImageRecipe?imageRecipeArn="+own+"image-recipe/user/1.x.x", nil)
}
