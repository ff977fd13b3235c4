package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// TestAllOperations drives every operation with the vendor's client and
// compares every member of every response with what was sent and what the
// specification says is filled in. The operations of a resource are in one
// function below; each response is written out there or made of the request.
func TestAllOperations(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 123e6, time.UTC)
	d := &driver{world: newWorld(t, clock(&now)), now: &now, driven: map[string]bool{}}
	for name, drive := range map[string]func(*driver){
		"components": (*driver).components, "image recipes": (*driver).imageRecipes, "container recipes": (*driver).containerRecipes,
		"infrastructure": (*driver).infrastructures, "distributions": (*driver).distributions, "workflows": (*driver).workflowDefinitions,
		"pipelines": (*driver).pipelines, "images": (*driver).images, "image work": (*driver).imageWork, "executions": (*driver).executions,
		"lifecycle policies": (*driver).lifecyclePolicies, "lifecycle executions": (*driver).lifecycleExecutions,
		"scans": (*driver).scans, "policies": (*driver).policies, "tags": (*driver).tags, "marketplace": (*driver).marketplace,
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			drive(d)
		})
	}
	d.t = t
	for _, route := range model.Routes {
		if !d.driven[route.Operation] {
			t.Errorf("%s is not driven", route.Operation)
		}
	}
}

// The time of the driver's server, as the API writes it.
const (
	date  = "2026-07-01T12:00:00.123Z"
	epoch = 1782907200.123
)

func (d *driver) components() {
	in, version := d.request("CreateComponent"), own+"component/new-component/1.2.3"
	d.expect("CreateComponent", in, obj{"componentBuildVersionArn": version + "/1", "latestVersionReferences": references(version)})
	component := object(in).with(obj{
		"semanticVersion": nil, "dryRun": nil, "arn": version + "/1", "version": "1.2.3", "type": "BUILD", "state": obj{"status": "ACTIVE"},
		"owner": account, "encrypted": true, "obfuscate": false, "dateCreated": date, "parameters": []any{
			obj{"name": "Level", "type": "string", "defaultValue": []any{"low"}, "description": "how much"},
			obj{"name": "Name", "type": "string"},
		},
	})
	d.expect("GetComponent", obj{"componentBuildVersionArn": own + "component/new-component/x.x.x"}, obj{"component": component, "latestVersionReferences": references(version)})
	byVersion := object(component).only("name", "version", "description", "platform", "supportedOsVersions", "type", "owner", "dateCreated")
	d.expect("ListComponents", obj{"filters": []any{obj{"name": "name", "values": []any{"new-component"}}}}, obj{"componentVersionList": []any{
		object(byVersion).with(obj{"arn": version, "status": "ACTIVE"}),
	}})
	d.expect("ListComponentBuildVersions", obj{"componentVersionArn": version}, obj{"componentSummaryList": []any{
		object(byVersion).with(obj{"arn": version + "/1", "state": obj{"status": "ACTIVE"}, "obfuscate": false, "changeDescription": "c", "tags": in["tags"]}),
	}})
	d.expect("ImportComponent", d.request("ImportComponent"), obj{"componentBuildVersionArn": own + "component/script/1.2.3/1"})
	got, err := d.call("GetComponent", obj{"componentBuildVersionArn": own + "component/script/1.2.3/1"})
	must(d.t, err)
	script, _ := got["component"].(obj)
	if data, _ := script["data"].(string); !strings.Contains(data, "echo") {
		d.t.Errorf("the imported document is %q", data)
	}
	delete(script, "data")
	want := object(d.request("ImportComponent")).with(obj{
		"semanticVersion": nil, "format": nil, "data": nil, "arn": own + "component/script/1.2.3/1", "version": "1.2.3", "state": obj{"status": "ACTIVE"},
		"owner": account, "encrypted": true, "obfuscate": false, "dateCreated": date,
	})
	if diff := cmp.Diff(want, script); diff != "" {
		d.t.Errorf("the imported component (-want +got):\n%s", diff)
	}
	d.expect("DeleteComponent", obj{"componentBuildVersionArn": version + "/1"}, obj{"componentBuildVersionArn": version + "/1"})
	d.refuses("GetComponent", obj{"componentBuildVersionArn": version + "/1"}, notFound)
}

func (d *driver) imageRecipes() {
	in, arn := object(d.request("CreateImageRecipe")).with(obj{"amiWatermarks": nil}), own+"image-recipe/new-recipe/1.0.0" // newer than the client: TestRecipeIsVerbatim
	d.expect("CreateImageRecipe", in, obj{"imageRecipeArn": arn, "latestVersionReferences": references(arn)})
	recipe := object(in).with(obj{
		"semanticVersion": nil, "dryRun": nil, "arn": arn, "version": "1.0.0", "type": "AMI", "platform": "Linux", "owner": account, "dateCreated": date,
	})
	d.expect("GetImageRecipe", obj{"imageRecipeArn": arn}, obj{"imageRecipe": recipe, "latestVersionReferences": references(arn)})
	d.expect("ListImageRecipes", obj{"filters": []any{obj{"name": "name", "values": []any{"New Recipe"}}}}, obj{"imageRecipeSummaryList": []any{
		object(recipe).only("arn", "name", "platform", "owner", "parentImage", "dateCreated", "tags"),
	}})
	d.expect("DeleteImageRecipe", obj{"imageRecipeArn": arn}, obj{"imageRecipeArn": arn})
	d.refuses("GetImageRecipe", obj{"imageRecipeArn": arn}, notFound)
}

func (d *driver) containerRecipes() {
	in, arn := d.request("CreateContainerRecipe"), own+"container-recipe/new-box/1.0.0"
	d.expect("CreateContainerRecipe", in, obj{"containerRecipeArn": arn, "latestVersionReferences": references(arn)})
	recipe := object(in).with(obj{
		"semanticVersion": nil, "dryRun": nil, "platformOverride": nil, "imageOsVersionOverride": nil, "arn": arn, "version": "1.0.0",
		"platform": "Linux", "owner": account, "encrypted": true, "dateCreated": date,
	})
	d.expect("GetContainerRecipe", obj{"containerRecipeArn": arn}, obj{"containerRecipe": recipe, "latestVersionReferences": references(arn)})
	entry := object(recipe).only("arn", "containerType", "name", "platform", "owner", "parentImage", "dateCreated", "tags")
	d.expect("ListContainerRecipes", obj{"filters": []any{obj{"name": "name", "values": []any{"new-box"}}}}, obj{"containerRecipeSummaryList": []any{
		object(entry).with(obj{"instanceImage": baseAMI}),
	}})
	d.expect("DeleteContainerRecipe", obj{"containerRecipeArn": arn}, obj{"containerRecipeArn": arn})
	d.refuses("GetContainerRecipe", obj{"containerRecipeArn": arn}, notFound)
}

func (d *driver) infrastructures() {
	in, arn := d.request("CreateInfrastructureConfiguration"), own+"infrastructure-configuration/new-machines"
	target := obj{"infrastructureConfigurationArn": arn}
	d.expect("CreateInfrastructureConfiguration", in, target)
	stored := object(in).with(obj{"dryRun": nil, "arn": arn, "dateCreated": date})
	d.expect("GetInfrastructureConfiguration", target, obj{"infrastructureConfiguration": stored})
	d.expect("UpdateInfrastructureConfiguration", object(target).with(obj{"instanceProfileName": "other"}), target)
	updated := obj{
		"arn": arn, "name": "New Machines", "instanceProfileName": "other", "terminateInstanceOnFailure": true, "tags": in["tags"],
		"dateCreated": date, "dateUpdated": date,
	}
	d.expect("GetInfrastructureConfiguration", target, obj{"infrastructureConfiguration": updated})
	d.expect("UpdateInfrastructureConfiguration", infrastructure(target), target)
	d.expect("ListInfrastructureConfigurations", obj{"filters": []any{obj{"name": "name", "values": []any{"New Machines"}}}}, obj{"infrastructureConfigurationSummaryList": []any{
		object(object(stored).with(obj{"dateUpdated": date})).only("arn", "name", "description", "dateCreated", "dateUpdated", "resourceTags", "tags",
			"instanceTypes", "instanceProfileName", "placement"),
	}})
	d.expect("DeleteInfrastructureConfiguration", target, target)
	d.refuses("GetInfrastructureConfiguration", target, notFound)
}

func (d *driver) distributions() {
	in, arn := d.request("CreateDistributionConfiguration"), own+"distribution-configuration/new-regions"
	target := obj{"distributionConfigurationArn": arn}
	d.expect("CreateDistributionConfiguration", in, target)
	stored := object(in).with(obj{"dryRun": nil, "arn": arn, "dateCreated": date, "timeoutMinutes": 720.0})
	d.expect("GetDistributionConfiguration", target, obj{"distributionConfiguration": stored})
	d.expect("UpdateDistributionConfiguration", object(target).with(obj{"distributions": []any{}}), target)
	d.expect("GetDistributionConfiguration", target, obj{"distributionConfiguration": object(stored).with(obj{
		"description": nil, "distributions": []any{}, "dateUpdated": date,
	})})
	d.expect("UpdateDistributionConfiguration", object(target).with(obj{"description": "d", "distributions": distributions()}), target)
	d.expect("ListDistributionConfigurations", obj{"filters": []any{obj{"name": "name", "values": []any{"new-regions"}}}}, obj{"distributionConfigurationSummaryList": []any{
		object(object(stored).only("arn", "name", "description", "dateCreated", "tags")).with(obj{"dateUpdated": date, "regions": []any{region}}),
	}})
	d.expect("DeleteDistributionConfiguration", target, target)
	d.refuses("GetDistributionConfiguration", target, notFound)
}

func (d *driver) workflowDefinitions() {
	in, version := d.request("CreateWorkflow"), own+"workflow/test/new-workflow/1.0.0"
	d.expect("CreateWorkflow", in, obj{"workflowBuildVersionArn": version + "/1", "latestVersionReferences": references(version)})
	stored := object(in).with(obj{
		"semanticVersion": nil, "dryRun": nil, "arn": version + "/1", "version": "1.0.0", "owner": account, "dateCreated": date,
		"parameters": []any{
			obj{"name": "retries", "type": "integer", "defaultValue": []any{"3"}, "description": "how often"},
			obj{"name": "labels", "type": "stringList", "defaultValue": []any{"a", "b"}},
			obj{"name": "dry", "type": "boolean", "defaultValue": []any{"False"}},
			obj{"name": "notice", "type": "string"},
		},
	})
	d.expect("GetWorkflow", obj{"workflowBuildVersionArn": version}, obj{"workflow": stored, "latestVersionReferences": references(version)})
	entry := object(stored).only("name", "version", "description", "type", "owner", "dateCreated")
	d.expect("ListWorkflows", obj{"filters": []any{obj{"name": "name", "values": []any{"New Workflow"}}}}, obj{"workflowVersionList": []any{
		object(entry).with(obj{"arn": version}),
	}})
	d.expect("ListWorkflowBuildVersions", obj{"workflowVersionArn": version}, obj{"workflowSummaryList": []any{
		object(entry).with(obj{"arn": version + "/1", "changeDescription": "c", "tags": in["tags"]}),
	}})
	target := obj{"workflowBuildVersionArn": version + "/1"}
	d.expect("DeleteWorkflow", target, target)
	d.refuses("GetWorkflow", target, notFound)
}

func (d *driver) pipelines() {
	in, arn := d.request("CreateImagePipeline"), own+"image-pipeline/new-pipeline"
	target := obj{"imagePipelineArn": arn}
	d.expect("CreateImagePipeline", in, target)
	stored := object(in).with(obj{
		"dryRun": nil, "arn": arn, "platform": "Linux", "dateCreated": date, "dateUpdated": date, "consecutiveFailures": 0.0,
	})
	d.expect("GetImagePipeline", target, obj{"imagePipeline": stored})
	d.expect("ListImagePipelines", obj{"filters": []any{obj{"name": "name", "values": []any{"new-pipeline"}}}}, obj{"imagePipelineList": []any{stored}})
	d.expect("UpdateImagePipeline", object(target).with(obj{"imageRecipeArn": d.recipe, "infrastructureConfigurationArn": d.infra}), target)
	updated := obj{
		"arn": arn, "name": "New Pipeline", "platform": "Linux", "imageRecipeArn": d.recipe, "infrastructureConfigurationArn": d.infra, "status": "ENABLED",
		"enhancedImageMetadataEnabled": true, "imageTestsConfiguration": obj{"imageTestsEnabled": true, "timeoutMinutes": 720.0},
		"dateCreated": date, "dateUpdated": date, "tags": in["tags"],
	}
	d.expect("GetImagePipeline", target, obj{"imagePipeline": updated})
	started, err := d.call("StartImagePipelineExecution", object(target).with(obj{"tags": obj{"run": "1"}}))
	must(d.t, err)
	image, _ := started["imageBuildVersionArn"].(string)
	if !strings.HasPrefix(image, own+"image/demo/1.0.0/") || len(started) != 1 {
		d.t.Errorf("StartImagePipelineExecution = %v", started)
	}
	d.expect("GetImagePipeline", target, obj{"imagePipeline": object(updated).with(obj{"dateLastRun": date, "lastRunStatus": "PENDING"})})
	d.expect("ListImagePipelineImages", target, obj{"imageSummaryList": []any{d.summary(image, obj{"tags": obj{"run": "1"}})}})
	d.expect("DeleteImagePipeline", target, target)
	d.refuses("GetImagePipeline", target, notFound)
}

// summary is the ImageSummary of a new image of the world's recipe.
func (d *driver) summary(arn string, more obj) obj {
	return object{
		"arn": arn, "name": "demo", "type": "AMI", "version": strings.TrimPrefix(arn, own+"image/demo/"), "platform": "Linux", "osVersion": "Debian 12",
		"state": obj{"status": "PENDING"}, "owner": account, "dateCreated": date, "outputResources": obj{"amis": []any{}}, "tags": obj{},
		"buildType": "USER_INITIATED", "imageSource": "AMAZON_MANAGED",
	}.with(more)
}

func (d *driver) images() {
	got := func(operation, member string, in obj) obj {
		out, err := d.call(operation, in)
		must(d.t, err)
		return out[member].(obj)
	}
	recipe := got("GetImageRecipe", "imageRecipe", obj{"imageRecipeArn": d.recipe})
	infra := got("GetInfrastructureConfiguration", "infrastructureConfiguration", obj{"infrastructureConfigurationArn": d.infra})
	distribution := got("GetDistributionConfiguration", "distributionConfiguration", obj{"distributionConfigurationArn": d.distribution})
	create := func(in obj) (arn string) {
		out, err := d.call("CreateImage", in)
		must(d.t, err)
		arn, _ = out["imageBuildVersionArn"].(string)
		if want := (obj{"imageBuildVersionArn": arn, "latestVersionReferences": references(own + "image/demo/1.0.0")}); !cmp.Equal(want, out) {
			d.t.Errorf("CreateImage = %v, want %v", out, want)
		}
		return arn
	}

	minimal := create(obj{"imageRecipeArn": own + "image-recipe/demo/x.x.x", "infrastructureConfigurationArn": d.infra})
	image := object(d.summary(minimal, nil)).with(obj{
		"owner": nil, "imageRecipe": recipe, "infrastructureConfiguration": infra, "enhancedImageMetadataEnabled": true,
		"imageTestsConfiguration": obj{"imageTestsEnabled": true, "timeoutMinutes": 720.0},
		"executionRole":           "arn:aws:iam::" + account + ":role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder",
		"workflows": []any{
			obj{"workflowArn": managed + "workflow/build/build-image/x.x.x"}, obj{"workflowArn": managed + "workflow/test/test-image/x.x.x"},
		},
	})
	d.expect("GetImage", obj{"imageBuildVersionArn": minimal}, obj{"image": image, "latestVersionReferences": references(own + "image/demo/1.0.0")})

	in := d.request("CreateImage")
	full := create(in)
	image = object(image).with(obj{
		"arn": full, "version": strings.TrimPrefix(full, own+"image/demo/"), "distributionConfiguration": distribution, "tags": in["tags"],
		"imageTestsConfiguration": in["imageTestsConfiguration"], "executionRole": role, "workflows": in["workflows"], "loggingConfiguration": in["loggingConfiguration"],
		"imageScanningConfiguration": in["imageScanningConfiguration"],
	})
	d.expect("GetImage", obj{"imageBuildVersionArn": full}, obj{"image": image, "latestVersionReferences": references(own + "image/demo/1.0.0")})

	entry := obj{
		"arn": own + "image/demo/1.0.0", "name": "demo", "type": "AMI", "version": "1.0.0", "platform": "Linux", "osVersion": "Debian 12", "owner": account,
		"dateCreated": date, "buildType": "USER_INITIATED", "imageSource": "AMAZON_MANAGED",
	}
	d.expect("ListImages", obj{"filters": []any{obj{"name": "name", "values": []any{"demo"}}}}, obj{"imageVersionList": []any{entry}}) // DistributeImage makes others
	d.expect("ListImages", obj{"owner": "Amazon"}, obj{"imageVersionList": []any{object(entry).with(obj{
		"arn": managed + "image/debian-12/2026.7.1", "name": "Debian 12", "version": "2026.7.1", "owner": "Amazon", "buildType": nil, "imageSource": "AMAZON_MANAGED",
	})}})
	builds, err := d.call("ListImageBuildVersions", obj{"imageVersionArn": own + "image/demo/1.0.0", "maxResults": 1.0})
	must(d.t, err)
	if token, _ := builds["nextToken"].(string); token == "" {
		d.t.Errorf("the first page of builds has no token: %v", builds)
	}
	delete(builds, "nextToken")
	newest := d.summary(full, obj{"tags": in["tags"], "loggingConfiguration": in["loggingConfiguration"]})
	if diff := cmp.Diff(obj{"imageSummaryList": []any{newest}}, builds); diff != "" {
		d.t.Errorf("ListImageBuildVersions (-want +got):\n%s", diff)
	}
	must(d.t, d.Store.Write(d.t.Context(), func(tx ingot.Tx) error {
		arn, err := ingot.ParseARN(minimal)
		must(d.t, err)
		return tx.PutImagePackages(d.t.Context(), arn, []ingot.ImagePackage{{PackageName: "nginx", PackageVersion: "1.22"}, {PackageName: "bash", PackageVersion: "5"}})
	}))
	d.expect("ListImagePackages", obj{"imageBuildVersionArn": minimal}, obj{"imagePackageList": []any{
		obj{"packageName": "bash", "packageVersion": "5"}, obj{"packageName": "nginx", "packageVersion": "1.22"},
	}})
	target := obj{"imageBuildVersionArn": full}
	d.expect("CancelImageCreation", target, target)
	d.refuses("DeleteImage", target, dependency)
	d.move(full, model.ImageStatusCancelled)
	d.refuses("CancelImageCreation", target, invalid)
	d.expect("DeleteImage", target, target)
	d.refuses("GetImage", target, notFound)
}

// imageWork is what waits for engines: the requests are checked, and the
// exception is the documented one.
func (d *driver) imageWork() {
	for _, r := range d.requests() {
		switch r.operation {
		case "RetryImage":
			out, err := d.call(r.operation, r.in)
			if want := (obj{"imageBuildVersionArn": d.retried}); err != nil || !cmp.Equal(want, out) {
				d.t.Errorf("RetryImage = %v, %v; want %v", out, err, want)
			}
		case "DistributeImage":
			out, err := d.call(r.operation, r.in)
			if arn, _ := out["imageBuildVersionArn"].(string); err != nil || !strings.HasSuffix(arn, "/1.0.0/1") {
				d.t.Errorf("DistributeImage = %v, %v", out, err)
			}
		case "ImportVmImage", "ImportDiskImage":
			d.refuses(r.operation, r.in, r.exception)
		}
	}
}

func (d *driver) executions() {
	image := d.available
	id, step := "wf-87654321-1234-4234-8234-123456789012", "step-87654321-1234-4234-8234-123456789012"
	workflow := obj{
		"workflowBuildVersionArn": managed + "workflow/build/build-image/1.0.0/1", "workflowExecutionId": id, "type": "BUILD", "status": "COMPLETED",
		"message": "done", "totalStepCount": 2.0, "totalStepsSucceeded": 1.0, "totalStepsFailed": 0.0, "totalStepsSkipped": 1.0,
		"startTime": date, "endTime": date, "parallelGroup": "one",
	}
	one := obj{
		"stepExecutionId": step, "name": "Launch", "description": "d", "action": "LaunchInstance", "status": "COMPLETED", "rollbackStatus": "SKIPPED",
		"message": "m", "inputs": `{"a":1}`, "outputs": `{"b":2}`, "startTime": date, "endTime": date,
	}
	owners := obj{"imageBuildVersionArn": image, "workflowExecutionId": id, "workflowBuildVersionArn": workflow["workflowBuildVersionArn"]}
	var e ingot.WorkflowExecution
	var s ingot.StepExecution
	fill(d.t, object(workflow).with(owners), &e.GetWorkflowExecutionResponse)
	fill(d.t, object(object(one).with(owners)).with(obj{"onFailure": "Abort", "timeoutSeconds": 60.0}), &s.GetWorkflowStepExecutionResponse)
	e.Retried = true
	must(d.t, d.Store.Write(d.t.Context(), func(tx ingot.Tx) error {
		must(d.t, tx.PutWorkflowExecution(d.t.Context(), e))
		return tx.PutStepExecution(d.t.Context(), s)
	}))
	d.expect("ListWorkflowExecutions", obj{"imageBuildVersionArn": image}, obj{
		"imageBuildVersionArn": image, "workflowExecutions": []any{object(workflow).with(obj{"retried": true})},
	})
	d.expect("GetWorkflowExecution", obj{"workflowExecutionId": id}, object(workflow).with(owners))
	d.expect("ListWorkflowStepExecutions", obj{"workflowExecutionId": id}, object(owners).with(obj{"steps": []any{one}}))
	d.expect("GetWorkflowStepExecution", obj{"stepExecutionId": step}, object(object(one).with(owners)).with(obj{"onFailure": "Abort", "timeoutSeconds": 60.0}))
	d.expect("ListWaitingWorkflowSteps", obj{}, obj{"steps": []any{obj{
		"stepExecutionId": waitingStepID, "imageBuildVersionArn": d.building, "workflowExecutionId": "wf-12345678-1234-4234-8234-123456789015",
		"workflowBuildVersionArn": own + "workflow/test/approve/1.0.0/1", "name": "Approve", "action": "WaitForAction", "startTime": date,
	}}})
	target := object{"stepExecutionId": waitingStepID, "imageBuildVersionArn": d.building}
	d.expect("SendWorkflowStepAction", target.with(obj{"action": "STOP", "reason": "not today"}), target.with(nil))
	d.refuses("SendWorkflowStepAction", target.with(obj{"action": "RESUME"}), invalidRequest)
	d.expect("ListWaitingWorkflowSteps", obj{}, obj{"steps": []any{}})
}

// fill sets a value of the model from the wire's form.
func fill(t testing.TB, wire obj, into any) {
	t.Helper()
	data, err := json.Marshal(wire)
	must(t, err)
	must(t, json.Unmarshal(data, into))
}

func (d *driver) lifecyclePolicies() {
	in, arn := d.request("CreateLifecyclePolicy"), own+"lifecycle-policy/new-policy"
	target := obj{"lifecyclePolicyArn": arn}
	d.expect("CreateLifecyclePolicy", in, target)
	stored := object(in).with(obj{"dryRun": nil, "arn": arn, "dateCreated": epoch, "dateUpdated": epoch})
	d.expect("GetLifecyclePolicy", target, obj{"lifecyclePolicy": stored})
	d.expect("ListLifecyclePolicies", obj{"filters": []any{obj{"name": "name", "values": []any{"New Policy"}}}}, obj{"lifecyclePolicySummaryList": []any{
		object(stored).only("arn", "name", "description", "status", "executionRole", "resourceType", "dateCreated", "dateUpdated", "tags"),
	}})
	details := []any{obj{"action": obj{"type": "DEPRECATE"}, "filter": obj{"type": "AGE", "value": 1.0, "unit": "DAYS"}}}
	replaced := obj{"executionRole": "other", "resourceType": "AMI_IMAGE", "policyDetails": details, "resourceSelection": obj{"tagMap": obj{"a": "b"}}}
	d.expect("UpdateLifecyclePolicy", object(replaced).with(target), target)
	d.expect("GetLifecyclePolicy", target, obj{"lifecyclePolicy": object(replaced).with(obj{
		"arn": arn, "name": "New Policy", "status": "ENABLED", "dateCreated": epoch, "dateUpdated": epoch, "tags": in["tags"],
	})})
	d.expect("DeleteLifecyclePolicy", target, target)
	d.refuses("GetLifecyclePolicy", target, notFound)
}

func (d *driver) lifecycleExecutions() {
	image := d.build()
	d.move(image, model.ImageStatusAvailable)
	d.expect("StartResourceStateUpdate", obj{"resourceArn": image, "state": obj{"status": "DEPRECATED"}}, obj{"resourceArn": image})
	out, err := d.call("StartResourceStateUpdate", d.request("StartResourceStateUpdate"))
	if id, _ := out["lifecycleExecutionId"].(string); err != nil || !executionID.MatchString(id) || out["resourceArn"] != d.available || len(out) != 2 {
		d.t.Errorf("StartResourceStateUpdate = %v, %v", out, err)
	}

	policy := own + "lifecycle-policy/deleted"
	id := d.putExecution(model.LifecycleExecutionStatusSuccess, policy, image)
	execution := obj{"lifecycleExecutionId": id, "lifecyclePolicyArn": policy, "state": obj{"status": "SUCCESS"}, "startTime": epoch}
	d.expect("GetLifecycleExecution", obj{"lifecycleExecutionId": id}, obj{"lifecycleExecution": execution})
	d.expect("ListLifecycleExecutions", obj{"resourceArn": policy}, obj{"lifecycleExecutions": []any{execution}})
	resource := obj{"accountId": account, "resourceId": image, "region": region, "state": obj{"status": "SUCCESS"}}
	top := object{"lifecycleExecutionId": id, "lifecycleExecutionState": obj{"status": "SUCCESS"}}
	d.expect("ListLifecycleExecutionResources", obj{"lifecycleExecutionId": id}, top.with(obj{"resources": []any{resource}}))
	d.expect("ListLifecycleExecutionResources", obj{"lifecycleExecutionId": id, "parentResourceId": image}, top.with(obj{"resources": []any{
		object(resource).with(obj{"resourceId": baseAMI}),
	}}))
	d.refuses("CancelLifecycleExecution", obj{"lifecycleExecutionId": id}, invalidRequest)
	running := d.putExecution(model.LifecycleExecutionStatusInProgress, "", image)
	d.expect("CancelLifecycleExecution", obj{"lifecycleExecutionId": running}, obj{"lifecycleExecutionId": running})
}

func (d *driver) scans() {
	d.expect("ListImageScanFindings", obj{}, obj{"findings": []any{}})
	zeros := obj{"all": 0.0, "critical": 0.0, "high": 0.0, "medium": 0.0}
	d.expect("ListImageScanFindingAggregations", obj{}, obj{"aggregationType": "accountId", "responses": []any{
		obj{"accountAggregation": obj{"accountId": account, "severityCounts": zeros}},
	}})
}

func (d *driver) policies() {
	for _, r := range d.requests() {
		if kind, ok := strings.CutSuffix(strings.TrimPrefix(r.operation, "Put"), "Policy"); ok && strings.HasPrefix(r.operation, "Put") {
			target := object(r.in).with(obj{"policy": nil})
			d.refuses("Get"+kind+"Policy", target, notFound)
			d.expect(r.operation, r.in, target)
			d.expect("Get"+kind+"Policy", target, obj{"policy": r.in["policy"]})
			d.expect(r.operation, object(r.in).with(obj{"policy": unshared}), target)
			d.refuses("Get"+kind+"Policy", target, notFound)
		}
	}
}

func (d *driver) tags() {
	target := object{"resourceArn": d.workflow}
	d.expect("ListTagsForResource", target.with(nil), obj{"tags": obj{}})
	d.expect("TagResource", target.with(obj{"tags": obj{"a b": "1", "c": ""}}), obj{})
	d.expect("TagResource", target.with(obj{"tags": obj{"a b": "2"}}), obj{})
	d.expect("ListTagsForResource", target.with(nil), obj{"tags": obj{"a b": "2", "c": ""}})
	d.expect("UntagResource", target.with(obj{"tagKeys": []any{"a b", "unknown"}}), obj{})
	d.expect("ListTagsForResource", target.with(nil), obj{"tags": obj{"c": ""}})
}

func (d *driver) marketplace() {
	d.refuses("GetMarketplaceResource", d.request("GetMarketplaceResource"), "ForbiddenException")
}
