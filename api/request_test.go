package api_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/model"
)

// world is a factory that has one of everything which a request can name.
type world struct {
	*factory
	component, containerRecipe, workflow, distribution, pipeline, policy string
	available, failed, building                                          string // images
	execution                                                            string // lifecycle
	retried                                                              string // failed after its BUILD stage
}

const (
	workflowExecutionID = "wf-12345678-1234-4234-8234-123456789012"
	stepExecutionID     = "step-12345678-1234-4234-8234-123456789012"
	waitingStepID       = "step-12345678-1234-4234-8234-123456789015"
	vmImportTask        = "import-ami-0123456789abcdef0"
)

func newWorld(t *testing.T, change ...func(*api.Config)) *world {
	w := &world{factory: newFactory(t, change...)}
	must(t, w.Store.RegisterAMI(t.Context(), ingot.AMI{Scope: ingot.Scope{Account: account, Region: region}, ID: baseAMI, Snapshot: "snap-1"}))
	w.component = w.createComponent("tool", "1.0.0", docParameters)
	w.containerRecipe = w.createContainerRecipe("web", "1.0.0", nil)
	w.workflow = w.createWorkflow(flow("approve", "1.0.0", model.WorkflowTypeTest, flowParameters, nil))
	w.distribution, _ = w.must("PUT", "/CreateDistributionConfiguration", obj{"name": "everywhere", "distributions": []any{}})["distributionConfigurationArn"].(string)
	must(t, w.newPipeline())
	w.pipeline = pipelineARN
	w.policy, _ = w.must("PUT", "/CreateLifecyclePolicy", policy("keep two", nil))["lifecyclePolicyArn"].(string)
	w.available, w.failed, w.building = w.build(), w.build(), w.build()
	w.move(w.available, model.ImageStatusAvailable)
	w.move(w.failed, model.ImageStatusFailed)
	w.move(w.building, model.ImageStatusBuilding)
	w.retried = w.build()
	w.move(w.retried, model.ImageStatusFailed)
	w.putWorkflowExecution("wf-12345678-1234-4234-8234-123456789013", w.retried, model.WorkflowTypeBuild, model.WorkflowExecutionStatusCompleted)
	w.execution = w.putExecution(model.LifecycleExecutionStatusSuccess, w.policy, w.available)
	w.putWorkflowExecution(workflowExecutionID, w.failed, model.WorkflowTypeBuild, model.WorkflowExecutionStatusCompleted)
	w.putStep(ingot.StepExecution{GetWorkflowStepExecutionResponse: model.GetWorkflowStepExecutionResponse{
		StepExecutionId: stepExecutionID, WorkflowExecutionId: workflowExecutionID, ImageBuildVersionArn: w.failed,
		Name: "LaunchBuildInstance", Status: model.WorkflowStepExecutionStatusCompleted,
	}})
	w.putWaiting(waitingStepID, w.building)
	return w
}

func (s *server) putStep(step ingot.StepExecution) {
	s.t.Helper()
	s.write(func(tx ingot.Tx) error { return tx.PutStepExecution(context.Background(), step) })
}

// putWaiting stores a step of an image that waits to be approved, as a build would.
func (s *server) putWaiting(id, image string) {
	s.t.Helper()
	s.putStep(ingot.StepExecution{
		Wait: &ingot.StepWait{Signal: "approve"},
		GetWorkflowStepExecutionResponse: model.GetWorkflowStepExecutionResponse{
			StepExecutionId: id, WorkflowExecutionId: "wf-12345678-1234-4234-8234-123456789015", WorkflowBuildVersionArn: own + "workflow/test/approve/1.0.0/1",
			ImageBuildVersionArn: image, Name: "Approve", Action: "WaitForAction", Status: model.WorkflowStepExecutionStatusRunning, StartTime: model.DateTime(s.now()),
		},
	})
}

// request is one valid request of an operation, with all of its members that
// do not exclude each other, in the wire's form.
type request struct {
	operation string
	in        obj
	exception string // that the server has for it all the same; empty: it succeeds
}

// requests has every operation once, in an order in which each finds what it
// names: what deletes is last.
func (w *world) requests() []request {
	tags := obj{"team": "a", "empty": ""}
	names := func(name string, values ...any) []any { return []any{obj{"name": name, "values": values}} }
	pages := obj{"maxResults": 2.0}
	list := func(more obj) obj {
		in := maps.Clone(pages)
		maps.Copy(in, more)
		return in
	}
	return []request{
		{"CreateComponent", obj{
			"name": "New Component", "semanticVersion": "1.2.3", "description": "d", "changeDescription": "c", "platform": "Linux",
			"supportedOsVersions": []any{"Debian 12", "Debian"}, "data": docParameters, "kmsKeyId": "alias/key", "tags": tags, "dryRun": false,
		}, ""},
		{"ImportComponent", obj{
			"name": "Script", "semanticVersion": "1.2.3", "description": "d", "changeDescription": "c", "type": "BUILD", "format": "SHELL",
			"platform": "Linux", "data": "echo", "kmsKeyId": "alias/key", "tags": tags,
		}, ""},
		{"GetComponent", obj{"componentBuildVersionArn": w.component}, ""},
		{"ListComponents", list(obj{"owner": "Self", "filters": names("name", "tool"), "byName": true}), ""},
		{"ListComponentBuildVersions", list(obj{"componentVersionArn": own + "component/tool/1.0.0"}), ""},
		{"PutComponentPolicy", obj{"componentArn": w.component, "policy": sharing(otherAccount, w.component, "GetComponent")}, ""},
		{"GetComponentPolicy", obj{"componentArn": w.component}, ""},

		{"CreateImageRecipe", obj{
			"name": "New Recipe", "description": "d", "semanticVersion": "1.0.x", "components": []any{w.uses()}, "parentImage": parentImage,
			"blockDeviceMappings": devices(), "tags": tags, "workingDirectory": "/var/tmp",
			"additionalInstanceConfiguration": obj{"systemsManagerAgent": obj{"uninstallAfterBuild": true}, "userDataOverride": "IyEvYmluL3NoCg=="},
			"amiTags":                         tags, "amiWatermarks": []any{"one mark"}, "dryRun": false,
		}, ""},
		{"GetImageRecipe", obj{"imageRecipeArn": w.recipe}, ""},
		{"ListImageRecipes", list(obj{"owner": "Self", "filters": names("name", "demo")}), ""},
		{"PutImageRecipePolicy", obj{"imageRecipeArn": w.recipe, "policy": sharing(otherAccount, w.recipe, "GetImageRecipe")}, ""},
		{"GetImageRecipePolicy", obj{"imageRecipeArn": w.recipe}, ""},

		{"CreateContainerRecipe", obj{
			"containerType": "DOCKER", "name": "New Box", "description": "d", "semanticVersion": "1.0.0", "components": []any{w.uses()},
			"instanceConfiguration":  obj{"image": baseAMI, "blockDeviceMappings": devices()},
			"dockerfileTemplateData": componentTemplate, "platformOverride": "Linux", "imageOsVersionOverride": "Debian 12", "parentImage": "debian:12",
			"tags": tags, "workingDirectory": "/var/tmp", "targetRepository": obj{"service": "ECR", "repositoryName": "web"}, "kmsKeyId": "alias/key", "dryRun": false,
		}, ""},
		{"GetContainerRecipe", obj{"containerRecipeArn": w.containerRecipe}, ""},
		{"ListContainerRecipes", list(obj{"owner": "Self", "filters": names("name", "web")}), ""},
		{"PutContainerRecipePolicy", obj{"containerRecipeArn": w.containerRecipe, "policy": sharing(otherAccount, w.containerRecipe, "GetContainerRecipe")}, ""},
		{"GetContainerRecipePolicy", obj{"containerRecipeArn": w.containerRecipe}, ""},

		{"CreateInfrastructureConfiguration", infrastructure(obj{"name": "New Machines", "tags": tags, "dryRun": false}), ""},
		{"UpdateInfrastructureConfiguration", infrastructure(obj{"infrastructureConfigurationArn": w.infra}), ""},
		{"GetInfrastructureConfiguration", obj{"infrastructureConfigurationArn": w.infra}, ""},
		{"ListInfrastructureConfigurations", list(obj{"filters": names("name", "infra")}), ""},

		{"CreateDistributionConfiguration", obj{"name": "New Regions", "description": "d", "distributions": distributions(), "tags": tags, "dryRun": false}, ""},
		{"UpdateDistributionConfiguration", obj{"distributionConfigurationArn": w.distribution, "description": "d", "distributions": distributions()}, ""},
		{"GetDistributionConfiguration", obj{"distributionConfigurationArn": w.distribution}, ""},
		{"ListDistributionConfigurations", list(obj{"filters": names("name", "everywhere")}), ""},

		{"CreateWorkflow", obj{
			"name": "New Workflow", "semanticVersion": "1.0.0", "description": "d", "changeDescription": "c", "data": flowParameters,
			"kmsKeyId": "alias/key", "tags": tags, "type": "TEST", "dryRun": false,
		}, ""},
		{"GetWorkflow", obj{"workflowBuildVersionArn": w.workflow}, ""},
		{"ListWorkflows", list(obj{"owner": "Self", "filters": names("name", "approve"), "byName": true}), ""},
		{"ListWorkflowBuildVersions", list(obj{"workflowVersionArn": own + "workflow/test/approve/x.x.x"}), ""},

		{"CreateImagePipeline", w.pipelineOf(obj{"name": "New Pipeline", "tags": tags, "dryRun": false}), ""},
		{"UpdateImagePipeline", w.pipelineOf(obj{"imagePipelineArn": w.pipeline}), ""},
		{"GetImagePipeline", obj{"imagePipelineArn": w.pipeline}, ""},
		{"ListImagePipelines", list(obj{"filters": names("name", "nightly")}), ""},
		{"StartImagePipelineExecution", obj{"imagePipelineArn": w.pipeline, "tags": tags}, ""},
		{"ListImagePipelineImages", list(obj{"imagePipelineArn": w.pipeline, "filters": names("version", "1")}), ""},

		{"CreateImage", obj{
			"imageRecipeArn": w.recipe, "distributionConfigurationArn": w.distribution, "infrastructureConfigurationArn": w.infra,
			"imageTestsConfiguration": obj{"imageTestsEnabled": true, "timeoutMinutes": 60.0}, "enhancedImageMetadataEnabled": true, "tags": tags,
			"imageScanningConfiguration": scanning(), "workflows": w.workflows(), "executionRole": role, "loggingConfiguration": obj{"logGroupName": "/mine"},
		}, ""},
		{"GetImage", obj{"imageBuildVersionArn": w.available}, ""},
		{"ListImages", list(obj{"owner": "Self", "filters": names("name", "demo"), "byName": true, "includeDeprecated": true}), ""},
		{"ListImageBuildVersions", list(obj{"imageVersionArn": own + "image/demo/1.0.0", "filters": names("type", "AMI")}), ""},
		{"ListImagePackages", list(obj{"imageBuildVersionArn": w.available}), ""},
		{"PutImagePolicy", obj{"imageArn": w.available, "policy": sharing(otherAccount, w.available, "GetImage")}, ""},
		{"GetImagePolicy", obj{"imageArn": w.available}, ""},
		{"ImportVmImage", obj{
			"name": "Imported", "semanticVersion": "1.0.0", "description": "d", "platform": "Linux", "osVersion": "Debian 12",
			"vmImportTaskId": vmImportTask, "loggingConfiguration": obj{"logGroupName": "/aws/imagebuilder/mine"}, "tags": tags,
		}, notImplemented},
		{"ImportDiskImage", obj{
			"name": "Windows", "semanticVersion": "1.0.0", "description": "d", "platform": "Windows", "osVersion": "Microsoft Windows 11",
			"executionRole": role, "infrastructureConfigurationArn": w.infra, "uri": "s3://bucket/w11.iso",
			"loggingConfiguration": obj{"logGroupName": "/mine"}, "tags": tags,
			"registerImageOptions": obj{"secureBootEnabled": true, "uefiData": "AA=="}, "windowsConfiguration": obj{"imageIndex": 1.0},
		}, notImplemented},
		{"RetryImage", obj{"imageBuildVersionArn": w.retried}, ""},
		{"DistributeImage", obj{
			"sourceImage": baseAMI, "distributionConfigurationArn": w.distribution, "executionRole": role, "tags": tags,
			"loggingConfiguration": obj{"logGroupName": "/mine"},
		}, ""},
		{"CancelImageCreation", obj{"imageBuildVersionArn": w.building}, ""},
		{"ListImageScanFindings", list(obj{"filters": names("severity", "HIGH")}), ""},
		{"ListImageScanFindingAggregations", obj{"filter": obj{"name": "imageBuildVersionArn", "values": []any{w.available}}}, ""},

		{"ListWorkflowExecutions", list(obj{"imageBuildVersionArn": w.failed}), ""},
		{"GetWorkflowExecution", obj{"workflowExecutionId": workflowExecutionID}, ""},
		{"ListWorkflowStepExecutions", list(obj{"workflowExecutionId": workflowExecutionID}), ""},
		{"GetWorkflowStepExecution", obj{"stepExecutionId": stepExecutionID}, ""},
		{"ListWaitingWorkflowSteps", pages, ""},
		{"SendWorkflowStepAction", obj{
			"stepExecutionId": waitingStepID, "imageBuildVersionArn": w.building, "action": "RESUME", "reason": "ok",
		}, ""},

		{"CreateLifecyclePolicy", lifecyclePolicy(obj{"name": "New Policy", "tags": tags, "dryRun": false}), ""},
		{"UpdateLifecyclePolicy", lifecyclePolicy(obj{"lifecyclePolicyArn": w.policy}), ""},
		{"GetLifecyclePolicy", obj{"lifecyclePolicyArn": w.policy}, ""},
		{"ListLifecyclePolicies", list(obj{"filters": names("status", "ENABLED")}), ""},
		{"StartResourceStateUpdate", obj{
			"resourceArn": w.available, "state": obj{"status": "DELETED"}, "executionRole": role,
			"includeResources": obj{"amis": true, "snapshots": true, "containers": false}, "exclusionRules": obj{"amis": exclusions()},
		}, ""},
		{"GetLifecycleExecution", obj{"lifecycleExecutionId": w.execution}, ""},
		{"ListLifecycleExecutions", list(obj{"resourceArn": w.policy}), ""},
		{"ListLifecycleExecutionResources", list(obj{"lifecycleExecutionId": w.execution, "parentResourceId": w.available}), ""},
		{"CancelLifecycleExecution", obj{"lifecycleExecutionId": w.execution}, invalidRequest}, // it is over

		{"GetMarketplaceResource", obj{
			"resourceType": "COMPONENT_DATA", "resourceArn": "arn:aws:imagebuilder:us-east-1:aws-marketplace:component/c/1.0.0/1", "resourceLocation": "s3://bucket/key",
		}, "ForbiddenException"}, // without subscription
		{"TagResource", obj{"resourceArn": w.workflow, "tags": tags}, ""},
		{"ListTagsForResource", obj{"resourceArn": w.workflow}, ""},
		{"UntagResource", obj{"resourceArn": w.workflow, "tagKeys": []any{"team", "a b"}}, ""},

		{"DeleteImagePipeline", obj{"imagePipelineArn": w.pipeline}, ""},
		{"DeleteLifecyclePolicy", obj{"lifecyclePolicyArn": w.policy}, ""},
		{"DeleteImage", obj{"imageBuildVersionArn": w.failed}, ""},
		{"DeleteWorkflow", obj{"workflowBuildVersionArn": w.workflow}, dependency},
		{"DeleteComponent", obj{"componentBuildVersionArn": w.component}, dependency},
		{"DeleteImageRecipe", obj{"imageRecipeArn": w.recipe}, dependency},
		{"DeleteContainerRecipe", obj{"containerRecipeArn": w.containerRecipe}, dependency}, // shared
		{"DeleteInfrastructureConfiguration", obj{"infrastructureConfigurationArn": w.infra}, dependency},
		{"DeleteDistributionConfiguration", obj{"distributionConfigurationArn": w.distribution}, dependency},
	}
}

// uses is an entry of a recipe that names the component.
func (w *world) uses() obj {
	return obj{"componentArn": w.component, "parameters": []any{obj{"name": "Name", "value": []any{"x"}}}}
}

func devices() []any {
	return []any{obj{"deviceName": "/dev/sdb", "ebs": obj{
		"encrypted": true, "deleteOnTermination": true, "iops": 100.0, "kmsKeyId": "key", "snapshotId": "snap-1",
		"volumeSize": 1.0, "volumeType": "gp3", "throughput": 125.0,
	}, "virtualName": "ephemeral0", "noDevice": ""}}
}

func infrastructure(more obj) obj {
	in := obj{
		"description": "d", "instanceTypes": []any{"t3.micro", "m5.large"}, "instanceProfileName": "profile", "securityGroupIds": []any{"sg-1"},
		"subnetId": "subnet-1", "logging": obj{"s3Logs": obj{"s3BucketName": "logs", "s3KeyPrefix": "/"}}, "keyPair": "key",
		"terminateInstanceOnFailure": false, "snsTopicArn": "arn:aws:sns:us-east-1:" + account + ":topic", "resourceTags": obj{"cost": "1"},
		"instanceMetadataOptions": obj{"httpTokens": "required", "httpPutResponseHopLimit": 2.0},
		"placement":               obj{"availabilityZone": "us-east-1a", "tenancy": "host", "hostId": "h-1"},
	}
	maps.Copy(in, more)
	return in
}

func distributions() []any {
	repository := obj{"service": "ECR", "repositoryName": "web"}
	return []any{obj{
		"region": region,
		"amiDistributionConfiguration": obj{
			"name": "demo {{ imagebuilder:buildDate }}", "description": "d", "targetAccountIds": []any{otherAccount}, "amiTags": obj{"a": "b"}, "kmsKeyId": "key",
			"launchPermission": obj{
				"userIds": []any{otherAccount}, "userGroups": []any{"all"},
				"organizationArns":       []any{"arn:aws:organizations::111122223333:organization/o-0123456789"},
				"organizationalUnitArns": []any{"arn:aws:organizations::111122223333:ou/o-0123456789/ou-0123-01234567"},
			},
		},
		"containerDistributionConfiguration": obj{"description": "d", "containerTags": []any{"latest"}, "targetRepository": repository},
		"licenseConfigurationArns":           []any{"arn:aws:license-manager:us-east-1:111122223333:license-configuration:lic-" + strings.Repeat("0", 32)},
		"launchTemplateConfigurations":       []any{obj{"launchTemplateId": "lt-0123456789abcdef0", "accountId": account, "setDefaultVersion": true}},
		"s3ExportConfiguration":              obj{"roleName": "vmimport", "diskImageFormat": "RAW", "s3Bucket": "bucket", "s3Prefix": "p"},
		"fastLaunchConfigurations": []any{obj{
			"enabled": true, "snapshotConfiguration": obj{"targetResourceCount": 1.0}, "maxParallelLaunches": 6.0,
			"launchTemplate": obj{"launchTemplateId": "lt-0123456789abcdef0", "launchTemplateVersion": "1"}, "accountId": account,
		}},
		"ssmParameterConfigurations": []any{obj{"amiAccountId": account, "parameterName": "/imagebuilder/ami", "dataType": "text"}},
	}}
}

func scanning() obj {
	return obj{"imageScanningEnabled": false, "ecrConfiguration": obj{"repositoryName": "web", "containerTags": []any{"latest"}}}
}

func (w *world) workflows() []any {
	return []any{obj{
		"workflowArn": w.workflow, "parallelGroup": "one", "onFailure": "CONTINUE",
		"parameters": []any{obj{"name": "notice", "value": []any{"x"}}},
	}}
}

// pipelineOf has the members that creating and updating a pipeline share.
func (w *world) pipelineOf(more obj) obj {
	in := obj{
		"description": "d", "imageRecipeArn": w.recipe, "infrastructureConfigurationArn": w.infra, "distributionConfigurationArn": w.distribution,
		"imageTestsConfiguration": obj{"imageTestsEnabled": false, "timeoutMinutes": 60.0}, "enhancedImageMetadataEnabled": false,
		"schedule": obj{
			"scheduleExpression": "rate(1 day)", "timezone": "Europe/Berlin", "pipelineExecutionStartCondition": "EXPRESSION_MATCH_ONLY",
			"autoDisablePolicy": obj{"failureCount": 2.0},
		},
		"status": "DISABLED", "imageTags": obj{"i": "j"}, "imageScanningConfiguration": scanning(), "workflows": w.workflows(), "executionRole": role,
		"loggingConfiguration": obj{"imageLogGroupName": "/mine", "pipelineLogGroupName": "/ours"},
	}
	maps.Copy(in, more)
	return in
}

func exclusions() obj {
	return obj{
		"isPublic": true, "regions": []any{"eu-west-1"}, "sharedAccounts": []any{otherAccount},
		"lastLaunched": obj{"value": 1.0, "unit": "DAYS"}, "tagMap": obj{"keep": "yes"},
	}
}

func lifecyclePolicy(more obj) obj {
	in := obj{
		"description": "d", "status": "DISABLED", "executionRole": role, "resourceType": "AMI_IMAGE",
		"policyDetails": []any{obj{
			"action":         obj{"type": "DELETE", "includeResources": obj{"amis": true, "snapshots": true, "containers": false}},
			"filter":         obj{"type": "AGE", "value": 2.0, "unit": "YEARS", "retainAtLeast": 1.0},
			"exclusionRules": obj{"tagMap": obj{"keep": "yes"}, "amis": exclusions()},
		}},
		"resourceSelection": obj{"recipes": []any{obj{"name": "demo", "semanticVersion": "1.x.x"}}},
	}
	maps.Copy(in, more)
	return in
}

// routeOf is the route of an operation.
func routeOf(operation string) model.Route {
	for _, r := range model.Routes {
		if r.Operation == operation {
			return r
		}
	}
	panic("no operation " + operation)
}

// onTheWire puts members where the route has them: path, query string, body.
func onTheWire(route model.Route, in obj) (path string, body any) {
	path, query, members := route.Path, url.Values{}, obj{}
	for name, value := range in {
		m, _ := route.Input.Member(name)
		switch m.In {
		case "uri":
			label, _ := value.(string)
			path = strings.Replace(path, "{"+name+"}", url.PathEscape(label), 1)
		case "querystring":
			list, isList := value.([]any)
			if !isList {
				list = []any{value}
			}
			for _, v := range list {
				text, _ := v.(string)
				query.Add(name, text)
			}
		default:
			members[name] = value
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if route.Method == http.MethodGet || route.Method == http.MethodDelete {
		return path, nil
	}
	return path, members
}

// TestRequests sends every operation's request: what the tests that break
// requests start from is right.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	sent := map[string]bool{}
	for _, r := range w.requests() {
		route := routeOf(r.operation)
		path, body := onTheWire(route, r.in)
		if a := w.call(route.Method, path, body); a.exception() != r.exception {
			t.Errorf("%s = %d %q %s, want %q", r.operation, a.Status, a.exception(), a.message(), r.exception)
		}
		sent[r.operation] = true
	}
	for _, route := range model.Routes {
		if !sent[route.Operation] {
			t.Errorf("%s has no request here", route.Operation)
		}
	}
}
