package api_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// terraform is case F1 with the calls that the Terraform provider makes, as
// its source has them, instead of the provider, which cannot be had where this
// is tested: for each resource, create and read; plan; change the description
// and plan; import by ARN and plan; destroy. A plan compares what the provider
// keeps of a read with the configuration, its own defaults filled in. Source:
// api.md §11.1.
func terraform(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 123e6, time.UTC)
	d := &driver{world: newWorld(t, clock(&now)), now: &now, driven: map[string]bool{}}
	for _, r := range d.provided() {
		t.Run(r.kind, func(t *testing.T) {
			d.t = t
			arn := r.create(d, r.config)
			r.plan(d, arn, r.config)
			changed := object(r.config).with(obj{"description": "another"})
			if r.replaced {
				r.destroy(d, arn)
				arn = r.create(d, changed)
			} else {
				r.update(d, arn, changed)
			}
			r.plan(d, arn, changed)
			_, err := d.call("TagResource", obj{"resourceArn": arn, "tags": obj{"a": "c"}})
			must(t, err)
			changed = object(changed).with(obj{"tags": obj{"a": "c"}})
			r.plan(d, arn, changed) // and an import: it knows the ARN alone
			r.destroy(d, arn)
		})
	}
}

// provided is a resource of the provider.
type provided struct {
	kind     string // of the operations
	member   string // of the ARN in all requests
	config   obj    // with the provider's defaults
	replaced bool   // a changed description makes a new one
	computed []string
}

func (d *driver) provided() []provided {
	tags := obj{"a": "b"}
	computed := []string{"arn", "dateCreated", "dateUpdated", "owner", "platform", "type", "encrypted", "obfuscate", "state", "timeoutMinutes", "consecutiveFailures", "dateNextRun"}
	return []provided{
		{"Component", "componentBuildVersionArn", obj{
			"name": "tf-component", "version": "1.0.0", "platform": "Linux", "data": docBuild, "description": "one", "tags": tags,
		}, true, without(computed, "platform")},
		{"ImageRecipe", "imageRecipeArn", obj{
			"name": "tf-recipe", "version": "1.0.0", "parentImage": parentImage, "description": "one", "tags": tags, "workingDirectory": "/tmp",
			"components":          []any{obj{"componentArn": own + "component/tool/x.x.x", "parameters": []any{obj{"name": "Name", "value": []any{"n"}}}}},
			"blockDeviceMappings": []any{obj{"deviceName": "/dev/xvdb", "ebs": obj{"deleteOnTermination": true, "volumeSize": 100.0, "volumeType": "gp2"}}},
		}, true, computed},
		{"InfrastructureConfiguration", "infrastructureConfigurationArn", obj{
			"name": "tf-infra", "instanceProfileName": "profile", "terminateInstanceOnFailure": false, "description": "one", "tags": tags,
			"instanceTypes": []any{"t3.micro"}, "logging": obj{"s3Logs": obj{"s3BucketName": "logs", "s3KeyPrefix": "/"}}, "resourceTags": obj{"c": "d"},
		}, false, computed},
		{"DistributionConfiguration", "distributionConfigurationArn", obj{
			"name": "tf-dist", "description": "one", "tags": tags,
			"distributions": []any{obj{"region": region, "amiDistributionConfiguration": obj{
				"name": "demo-{{ imagebuilder:buildDate }}", "amiTags": obj{"a": "b"}, "launchPermission": obj{"userIds": []any{otherAccount}},
			}}},
		}, false, computed},
		{"ImagePipeline", "imagePipelineArn", obj{
			"name": "tf-pipeline", "imageRecipeArn": d.recipe, "infrastructureConfigurationArn": d.infra, "description": "one", "tags": tags,
			"enhancedImageMetadataEnabled": true, "status": "ENABLED", "imageTestsConfiguration": obj{"imageTestsEnabled": true, "timeoutMinutes": 720.0},
			"schedule": obj{"scheduleExpression": "cron(0 0 * * ? *)", "pipelineExecutionStartCondition": "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"},
		}, false, computed},
		{"LifecyclePolicy", "lifecyclePolicyArn", obj{
			"name": "tf-policy", "executionRole": role, "resourceType": "AMI_IMAGE", "status": "ENABLED", "description": "one", "tags": tags,
			"policyDetails": []any{obj{
				"action": obj{"type": "DELETE", "includeResources": obj{"amis": true, "snapshots": true, "containers": false}},
				"filter": obj{"type": "AGE", "value": 6.0, "unit": "MONTHS", "retainAtLeast": 10.0},
			}},
			"resourceSelection": obj{"tagMap": obj{"a": "b"}},
		}, false, without(computed, "type")},
	}
}

func without(list []string, name string) []string {
	var rest []string
	for _, n := range list {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}

func (r provided) create(d *driver, config obj) string {
	d.t.Helper()
	in := maps.Clone(config)
	if v, ok := in["version"]; ok {
		delete(in, "version")
		in["semanticVersion"] = v
	}
	out, err := d.call("Create"+r.kind, in)
	must(d.t, err)
	arn, _ := out[r.member].(string)
	return arn
}

// update sends the whole configuration, but for what never changes.
func (r provided) update(d *driver, arn string, config obj) {
	d.t.Helper()
	_, err := d.call("Update"+r.kind, object(config).with(obj{"name": nil, "tags": nil, r.member: arn}))
	must(d.t, err)
}

// plan reads the resource and expects no difference to the configuration.
func (r provided) plan(d *driver, arn string, config obj) {
	d.t.Helper()
	out, err := d.call("Get"+r.kind, obj{r.member: arn})
	must(d.t, err)
	read, _ := out[strings.ToLower(r.kind[:1])+r.kind[1:]].(obj)
	if read["arn"] != arn {
		d.t.Errorf("Get%s of %s has the ARN %v", r.kind, arn, read["arn"])
	}
	for _, name := range r.computed {
		delete(read, name)
	}
	if diff := cmp.Diff(config, read); diff != "" {
		d.t.Errorf("the plan is not empty (-configuration +read):\n%s", diff)
	}
}

// destroy deletes the resource and reads it until it is gone.
func (r provided) destroy(d *driver, arn string) {
	d.t.Helper()
	_, err := d.call("Delete"+r.kind, obj{r.member: arn})
	must(d.t, err)
	d.refuses("Get"+r.kind, obj{r.member: arn}, notFound)
}
