package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	plainTemplate     = "FROM {{{ imagebuilder:parentImage }}}\nRUN true\n"
	componentTemplate = "FROM {{{ imagebuilder:parentImage }}}\n{{{ imagebuilder:environments }}}\n{{{ imagebuilder:components }}}\n"
)

// containerRecipe is a CreateContainerRecipe request with changes; nil takes a
// member out.
func containerRecipe(name, version string, changes obj) obj {
	in := obj{
		"containerType": "DOCKER", "name": name, "semanticVersion": version, "parentImage": "debian:12",
		"dockerfileTemplateData": plainTemplate, "targetRepository": obj{"service": "ECR", "repositoryName": "team/web"},
	}
	for k, v := range changes {
		if in[k] = v; v == nil {
			delete(in, k)
		}
	}
	return in
}

func (s *server) createContainerRecipe(name, version string, changes obj) string {
	s.t.Helper()
	arn, _ := s.must("PUT", "/CreateContainerRecipe", containerRecipe(name, version, changes))["containerRecipeArn"].(string)
	return arn
}

func (s *server) getContainerRecipe(arn string) map[string]any {
	s.t.Helper()
	r, _ := s.must("GET", "/GetContainerRecipe?containerRecipeArn="+arn, nil)["containerRecipe"].(map[string]any)
	return r
}

func TestContainerRecipeIsVerbatim(t *testing.T) {
	s := withCatalogue(t)
	in := containerRecipe("Web Server", "1.2.3", obj{
		"components":             []any{obj{"componentArn": managed + "component/update-linux/x.x.x"}},
		"dockerfileTemplateData": componentTemplate, "platformOverride": "Linux", "imageOsVersionOverride": "Debian 12",
		"instanceConfiguration": obj{
			"image": "ssm:/golden/host", "blockDeviceMappings": []any{obj{"deviceName": "/dev/sda1", "ebs": obj{"volumeSize": 30.0}}},
		},
		"workingDirectory": "/srv/w", "kmsKeyId": "key", "description": "Web", "tags": obj{"a": "b"},
	})
	created := s.must("PUT", "/CreateContainerRecipe", in)
	arn := own + "container-recipe/web-server/1.2.3"
	got := s.getContainerRecipe(own + "container-recipe/web-server/1.x.x")
	if date, _ := got["dateCreated"].(string); !strings.HasSuffix(date, "Z") {
		t.Errorf("dateCreated = %v", got["dateCreated"])
	}
	delete(got, "dateCreated")
	want := obj{"arn": arn, "version": "1.2.3", "owner": account, "platform": "Linux", "encrypted": true}
	for k, v := range in {
		if k != "semanticVersion" && k != "platformOverride" && k != "imageOsVersionOverride" {
			want[k] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the recipe is not verbatim (-want +got):\n%s", diff)
	}
	references := obj{
		"latestVersionArn":      own + "container-recipe/web-server/x.x.x",
		"latestMajorVersionArn": own + "container-recipe/web-server/1.x.x",
		"latestMinorVersionArn": own + "container-recipe/web-server/1.2.x",
		"latestPatchVersionArn": arn,
	}
	if diff := cmp.Diff(references, created["latestVersionReferences"]); created["containerRecipeArn"] != arn || diff != "" {
		t.Errorf("CreateContainerRecipe = %v; latestVersionReferences (-want +got):\n%s", created, diff)
	}
}

func TestContainerRecipeMinimal(t *testing.T) { // CT-3 without the build
	s := start(t)
	got := s.getContainerRecipe(s.createContainerRecipe("web", "1.0.0", nil))
	delete(got, "dateCreated")
	want := obj{
		"arn": own + "container-recipe/web/1.0.0", "containerType": "DOCKER", "name": "web", "version": "1.0.0", "owner": account,
		"platform": "Linux", "encrypted": true, "parentImage": "debian:12", "dockerfileTemplateData": plainTemplate,
		"targetRepository": obj{"service": "ECR", "repositoryName": "team/web"}, "tags": obj{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GetContainerRecipe (-want +got):\n%s", diff)
	}
}

func TestContainerRecipeVersions(t *testing.T) { // CT-7
	s := start(t)
	for i := range 3 {
		if got, want := s.createContainerRecipe("web", "2.1.x", nil), fmt.Sprintf("%scontainer-recipe/web/2.1.%d", own, i); got != want {
			t.Errorf("allocation %d = %v, want %s", i, got, want)
		}
	}
	s.refused(400, exists, "PUT", "/CreateContainerRecipe", containerRecipe("Web", "2.1.0", nil),
		"The following resource 'ContainerRecipe' already exists: '"+own+"container-recipe/web/2.1.0'.")
	s.must("PUT", "/CreateImageRecipe", recipe("web", "2.1.0", obj{"parentImage": "ssm:/an/ami"})) // another kind has names of its own
	s.refused(400, "InvalidVersionNumberException", "PUT", "/CreateContainerRecipe", containerRecipe("web", "x.1.x", nil))
	dry := containerRecipe("dry", "1.0.0", obj{"dryRun": true})
	s.refused(412, "DryRunOperationException", "PUT", "/CreateContainerRecipe", dry)
	s.refused(404, notFound, "GET", "/GetContainerRecipe?containerRecipeArn="+own+"container-recipe/dry/1.0.0", nil)
}

func TestContainerRecipeRefusals(t *testing.T) { // R10, CT-1, CT-2, CT-4 to CT-6
	s := withCatalogue(t)
	update := []obj{{"componentArn": managed + "component/update-linux/x.x.x"}}
	box := managed + "image/box/x.x.x"
	host := func(image string) obj { return obj{"instanceConfiguration": obj{"image": image}} }
	tags := obj{}
	for i := range 51 {
		tags[fmt.Sprint("key", i)] = "v"
	}
	for title, c := range map[string]struct {
		status    int
		exception string
		change    obj
		part      string
	}{
		"CT-1 no environments":        {400, invalid, obj{"components": update}, "imagebuilder:environments"},
		"CT-2 components first":       {400, invalid, obj{"components": update, "dockerfileTemplateData": "{{{imagebuilder:parentImage}}}{{{imagebuilder:components}}}{{{imagebuilder:environments}}}"}, "before"},
		"CT-4 both templates":         {400, combination, obj{"dockerfileTemplateUri": "s3://bucket/key"}, "dockerfileTemplateUri"},
		"CT-4 no template":            {400, combination, obj{"dockerfileTemplateData": nil}, "dockerfileTemplateUri"},
		"template in a bucket":        {400, invalid, obj{"dockerfileTemplateData": nil, "dockerfileTemplateUri": "s3://bucket/key"}, "dockerfileTemplateUri"},
		"CT-5 override of an image":   {400, combination, obj{"parentImage": box, "platformOverride": "Linux"}, "platformOverride"},
		"OS override of an image":     {400, combination, obj{"parentImage": box, "imageOsVersionOverride": "x"}, "imageOsVersionOverride"},
		"CT-5 macOS":                  {400, invalid, obj{"platformOverride": "macOS"}, "'platformOverride'"},
		"CT-5 Windows without OS":     {400, combination, obj{"platformOverride": "Windows"}, "imageOsVersionOverride"},
		"CT-6 template of 16,001":     {400, invalid, obj{"dockerfileTemplateData": plainTemplate + strings.Repeat("#", 16_001-len(plainTemplate))}, "dockerfileTemplateData"},
		"another type":                {400, invalid, obj{"containerType": "OCI"}, "containerType"},
		"no repository":               {400, "InvalidParameterException", obj{"targetRepository": nil}, "targetRepository"},
		"another service":             {400, invalid, obj{"targetRepository": obj{"service": "HUB", "repositoryName": "web"}}, "targetRepository.service"},
		"nonsense repository":         {400, invalid, obj{"targetRepository": obj{"service": "ECR", "repositoryName": "Web:1"}}, "targetRepository.repositoryName"},
		"absent parent":               {404, notFound, obj{"parentImage": managed + "image/nope/x.x.x"}, "nope"},
		"parent is an AMI image":      {400, invalid, obj{"parentImage": parentImage}, "an AMI"},
		"parent is an AMI":            {400, invalid, obj{"parentImage": "ami-0123456789abcdef0"}, "an AMI"},
		"nonsense parent":             {400, invalid, obj{"parentImage": "Debian:12"}, "'parentImage'"},
		"short digest":                {400, invalid, obj{"parentImage": "debian@sha256:abc"}, "'parentImage'"},
		"long parent":                 {400, invalid, obj{"parentImage": strings.Repeat("a", 256)}, "'parentImage'"},
		"nonsense host":               {400, invalid, host("debian"), "instanceConfiguration.image"},
		"host without parameter":      {400, invalid, host("ssm:"), "instanceConfiguration.image"},
		"device twice":                {400, invalid, obj{"instanceConfiguration": obj{"blockDeviceMappings": []obj{{"deviceName": "a"}, {"deviceName": "a"}}}}, "instanceConfiguration.blockDeviceMappings[1].deviceName"},
		"component twice":             {400, invalid, obj{"components": append(update, update...), "dockerfileTemplateData": componentTemplate}, "components[1]"},
		"Windows component":           {400, invalid, obj{"components": []obj{{"componentArn": managed + "component/update-windows/x.x.x"}}, "dockerfileTemplateData": componentTemplate}, "Windows"},
		"Linux component, Windows OS": {400, invalid, obj{"components": update, "dockerfileTemplateData": componentTemplate, "platformOverride": "Windows", "imageOsVersionOverride": "2022"}, "Linux"},
		"quote on Windows":            {400, invalid, obj{"platformOverride": "Windows", "imageOsVersionOverride": "2022", "workingDirectory": `C:/"`}, "workingDirectory"},
		"51 tags":                     {400, invalid, obj{"tags": tags}, "tags"},
		"reserved tag":                {400, invalid, obj{"tags": obj{"Aws:x": "y"}}, "tags"},
	} {
		t.Run(title, func(t *testing.T) {
			s.t = t
			s.refused(c.status, c.exception, "PUT", "/CreateContainerRecipe", containerRecipe("bad", "1.0.0", c.change), c.part)
		})
	}
	s.t = t
	if list := s.must("POST", "/ListContainerRecipes", nil); len(list["containerRecipeSummaryList"].([]any)) != 0 {
		t.Errorf("refused recipes are listed: %v", list)
	}
}

func TestContainerParents(t *testing.T) {
	s := withCatalogue(t)
	for i, parent := range []string{
		"debian", "debian:12", "team/base:latest", "localhost:5000/base", managed + "image/box/x.x.x",
		"111122223333.dkr.ecr.us-east-1.amazonaws.com/base:1.0.0-3@sha256:" + strings.Repeat("0", 64),
	} {
		got := s.getContainerRecipe(s.createContainerRecipe("web", fmt.Sprintf("1.0.%d", i), obj{"parentImage": parent}))
		if got["parentImage"] != parent || got["platform"] != "Linux" {
			t.Errorf("parent %s: returned as %v, platform %v", parent, got["parentImage"], got["platform"])
		}
	}
	windows := s.getContainerRecipe(s.createContainerRecipe("web", "2.0.0", obj{
		"parentImage": "registry.example.com/servercore", "platformOverride": "Windows", "imageOsVersionOverride": "Windows Server 2022",
	}))
	if windows["platform"] != "Windows" {
		t.Errorf("platform = %v, want the override", windows["platform"])
	}
}

func TestListContainerRecipes(t *testing.T) {
	s := start(t)
	s.createContainerRecipe("Web Server", "1.0.0", obj{
		"instanceConfiguration": obj{"image": "ami-0123456789abcdef0"}, "tags": obj{"a": "b"},
	})
	s.createContainerRecipe("other", "1.0.0", obj{"parentImage": "alpine", "platformOverride": "Windows", "imageOsVersionOverride": "2022"})
	for filter, want := range map[[2]string][]string{
		{"name", "Web Server"}:       {"web-server"},
		{"name", "web-server"}:       {"web-server"},
		{"parentImage", "alpine"}:    {"other"},
		{"platform", "Linux"}:        {"web-server"},
		{"containerType", "DOCKER"}:  {"other", "web-server"},
		{"parentImage", "debian:11"}: nil,
	} {
		list := s.must("POST", "/ListContainerRecipes", obj{"filters": []obj{{"name": filter[0], "values": []string{filter[1]}}}})
		var got []string
		for _, entry := range list["containerRecipeSummaryList"].([]any) {
			arn, _ := dig(entry, "arn").(string)
			got = append(got, strings.Split(arn, "/")[1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("filter %v (-want +got):\n%s", filter, diff)
		}
	}
	entry := dig(s.must("POST", "/ListContainerRecipes", obj{"owner": "Self"}), "containerRecipeSummaryList", 1).(map[string]any)
	delete(entry, "dateCreated")
	want := obj{
		"arn": own + "container-recipe/web-server/1.0.0", "containerType": "DOCKER", "name": "Web Server", "platform": "Linux",
		"owner": account, "parentImage": "debian:12", "instanceImage": "ami-0123456789abcdef0", "tags": obj{"a": "b"},
	}
	if diff := cmp.Diff(want, entry); diff != "" {
		t.Errorf("an entry (-want +got):\n%s", diff)
	}
	if list := s.must("POST", "/ListContainerRecipes", obj{"owner": "Amazon"}); len(list["containerRecipeSummaryList"].([]any)) != 0 {
		t.Errorf("managed recipes: %v", list)
	}
	s.refused(400, "InvalidRequestException", "POST", "/ListContainerRecipes", obj{"filters": []obj{{"name": "osVersion", "values": []string{"2022"}}}}, "osVersion")
}

func TestContainerRecipeDependencies(t *testing.T) {
	s := start(t)
	c := s.createComponent("used", "1.0.0", docBuild)
	arn := s.createContainerRecipe("web", "1.0.0", obj{"components": []obj{{"componentArn": c}}, "dockerfileTemplateData": componentTemplate})
	s.refused(400, dependency, "DELETE", "/DeleteComponent?componentBuildVersionArn="+c, nil, c)
	s.refused(400, invalid, "DELETE", "/DeleteContainerRecipe?containerRecipeArn="+own+"container-recipe/web/1.x.x", nil)
	if got := s.must("DELETE", "/DeleteContainerRecipe?containerRecipeArn="+arn, nil)["containerRecipeArn"]; got != arn {
		t.Errorf("DeleteContainerRecipe = %v", got)
	}
	s.refused(404, notFound, "DELETE", "/DeleteContainerRecipe?containerRecipeArn="+arn, nil)
	s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+c, nil)
}

func TestContainerPipelines(t *testing.T) { // P2, P8, R8
	f := newFactory(t)
	windows := f.createContainerRecipe("web", "1.0.0", obj{"platformOverride": "Windows", "imageOsVersionOverride": "2022"})
	pattern := own + "container-recipe/web/1.x.x"
	pipeline := func(changes obj) obj {
		in := obj{"name": "Nightly", "containerRecipeArn": pattern, "infrastructureConfigurationArn": f.infra}
		for k, v := range changes {
			in[k] = v
		}
		return in
	}
	workflows := func(name string) obj {
		return obj{"executionRole": "role", "workflows": []obj{{"workflowArn": managed + "workflow/build/" + name + "/x.x.x"}}}
	}
	for title, c := range map[string]struct {
		status    int
		exception string
		change    obj
		part      string
	}{
		"both recipes":         {400, combination, obj{"imageRecipeArn": f.recipe}, "containerRecipeArn"},
		"absent recipe":        {404, notFound, obj{"containerRecipeArn": own + "container-recipe/none/x.x.x"}, "none"},
		"recipe elsewhere":     {404, notFound, obj{"containerRecipeArn": "arn:aws:imagebuilder:eu-west-1:111122223333:container-recipe/web/1.0.0"}, "eu-west-1"},
		"absent configuration": {404, notFound, obj{"infrastructureConfigurationArn": own + "infrastructure-configuration/none"}, "none"},
		"absent distribution":  {404, notFound, obj{"distributionConfigurationArn": own + "distribution-configuration/none"}, "none"},
		"workflow of images":   {400, "InvalidRequestException", workflows("build-image"), "build-image"},
	} {
		t.Run(title, func(t *testing.T) {
			f.t = t
			f.refused(c.status, c.exception, "PUT", "/CreateImagePipeline", pipeline(c.change), c.part)
		})
	}
	f.t = t
	f.must("PUT", "/CreateImagePipeline", pipeline(workflows("build-container")))
	got := f.must("GET", "/GetImagePipeline?imagePipelineArn="+pipelineARN, nil)["imagePipeline"]
	if dig(got, "containerRecipeArn") != pattern || dig(got, "platform") != "Windows" || dig(got, "imageRecipeArn") != nil {
		t.Errorf("GetImagePipeline = %v", got)
	}
	for recipe, want := range map[string]int{pattern: 1, windows: 0} {
		list := f.must("POST", "/ListImagePipelines", obj{"filters": []obj{{"name": "containerRecipeArn", "values": []string{recipe}}}})
		if n := len(list["imagePipelineList"].([]any)); n != want {
			t.Errorf("%d pipelines of %s, want %d", n, recipe, want)
		}
	}
	f.refused(400, dependency, "DELETE", "/DeleteContainerRecipe?containerRecipeArn="+windows, nil, windows)
	f.createContainerRecipe("web", "1.0.1", nil)
	f.must("DELETE", "/DeleteContainerRecipe?containerRecipeArn="+windows, nil) // 1.0.1 satisfies the pipeline, too
	update := obj{"imagePipelineArn": pipelineARN, "infrastructureConfigurationArn": f.infra}
	update["imageRecipeArn"] = f.recipe
	f.refused(400, invalid, "PUT", "/UpdateImagePipeline", update, "imageRecipeArn")
	delete(update, "imageRecipeArn")
	update["containerRecipeArn"] = own + "container-recipe/web/1.0.1"
	f.must("PUT", "/UpdateImagePipeline", update)
	if got := f.pipeline(); got.Platform != "Linux" || *got.ContainerRecipeArn != update["containerRecipeArn"] {
		t.Errorf("after the update: platform %s, recipe %s", got.Platform, *got.ContainerRecipeArn)
	}
	f.refused(501, "NotImplementedException", "PUT", "/StartImagePipelineExecution", obj{"imagePipelineArn": pipelineARN}, "does not build container images yet")
	if got := f.pipeline(); got.DateLastRun != nil {
		t.Errorf("a refused start is a run: %s", *got.DateLastRun)
	}
	f.must("DELETE", "/DeleteImagePipeline?imagePipelineArn="+pipelineARN, nil)
	f.must("DELETE", "/DeleteContainerRecipe?containerRecipeArn="+own+"container-recipe/web/1.0.1", nil)
}

func TestContainerImagesAreNotBuilt(t *testing.T) {
	f := newFactory(t)
	recipe := f.createContainerRecipe("web", "1.0.0", nil)
	image := func(changes obj) obj {
		in := obj{"containerRecipeArn": recipe, "infrastructureConfigurationArn": f.infra}
		for k, v := range changes {
			in[k] = v
		}
		return in
	}
	for title, c := range map[string]struct {
		status    int
		exception string
		change    obj
		part      string
	}{
		"right":                {501, "NotImplementedException", nil, "does not build container images yet"},
		"both recipes":         {400, combination, obj{"imageRecipeArn": f.recipe}, "containerRecipeArn"},
		"absent recipe":        {404, notFound, obj{"containerRecipeArn": own + "container-recipe/web/2.x.x"}, "2.x.x"},
		"an image recipe":      {400, invalid, obj{"containerRecipeArn": f.recipe}, "containerRecipeArn"},
		"absent configuration": {404, notFound, obj{"infrastructureConfigurationArn": own + "infrastructure-configuration/none"}, "none"},
		"absent distribution":  {404, notFound, obj{"distributionConfigurationArn": own + "distribution-configuration/none"}, "none"},
		"workflow of images": {400, "InvalidRequestException", obj{
			"executionRole": "role", "workflows": []obj{{"workflowArn": managed + "workflow/test/test-image/x.x.x"}},
		}, "test-image"},
	} {
		t.Run(title, func(t *testing.T) {
			f.t = t
			f.refused(c.status, c.exception, "PUT", "/CreateImage", image(c.change), c.part)
		})
	}
	f.t = t
	if list := f.must("POST", "/ListImageBuildVersions", nil); len(list["imageSummaryList"].([]any)) != 0 || len(f.fakeBuilder.asked) != 0 {
		t.Errorf("refused builds left %v; the builder was asked %v", list, f.fakeBuilder.asked)
	}
}
