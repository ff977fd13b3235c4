package api

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/iam"
)

// rule says what an operation's caller must be allowed to do: the operation
// itself on each of some resources, and what goes with it.
type rule struct {
	on   resources
	also []part
}

// resources are ARNs, or "*", that a request is about.
type resources func(*question) []string

// part is what a request needs beside its operation. Source: api.md §9.1.
type part func(*question) []need

// need is an action on a resource.
type need struct{ action, resource string }

// rules are the operations of the API. Source: api.md §9.1, §9.2.
var rules = map[string]rule{
	"CreateComponent":            creates(ingot.KindComponent),
	"ImportComponent":            creates(ingot.KindComponent),
	"GetComponent":               on("componentBuildVersionArn"),
	"DeleteComponent":            on("componentBuildVersionArn"),
	"ListComponents":             {on: everything},
	"ListComponentBuildVersions": onAny("componentVersionArn"),
	"GetComponentPolicy":         on("componentArn"),
	"PutComponentPolicy":         on("componentArn"),

	"CreateImageRecipe":    creates(ingot.KindImageRecipe, recipeParts),
	"GetImageRecipe":       on("imageRecipeArn"),
	"DeleteImageRecipe":    on("imageRecipeArn"),
	"ListImageRecipes":     {on: everything},
	"GetImageRecipePolicy": on("imageRecipeArn"),
	"PutImageRecipePolicy": on("imageRecipeArn"),

	"CreateContainerRecipe":    creates(ingot.KindContainerRecipe, recipeParts, repository),
	"GetContainerRecipe":       on("containerRecipeArn"),
	"DeleteContainerRecipe":    on("containerRecipeArn"),
	"ListContainerRecipes":     {on: everything},
	"GetContainerRecipePolicy": on("containerRecipeArn"),
	"PutContainerRecipePolicy": on("containerRecipeArn"),

	"CreateInfrastructureConfiguration": creates(ingot.KindInfrastructure, instances),
	"UpdateInfrastructureConfiguration": on("infrastructureConfigurationArn", instances),
	"GetInfrastructureConfiguration":    on("infrastructureConfigurationArn"),
	"DeleteInfrastructureConfiguration": on("infrastructureConfigurationArn"),
	"ListInfrastructureConfigurations":  {on: everything},

	"CreateDistributionConfiguration": creates(ingot.KindDistribution, exports),
	"UpdateDistributionConfiguration": on("distributionConfigurationArn", exports),
	"GetDistributionConfiguration":    on("distributionConfigurationArn"),
	"DeleteDistributionConfiguration": on("distributionConfigurationArn"),
	"ListDistributionConfigurations":  {on: everything},

	"CreateImagePipeline":         creates(ingot.KindPipeline, buildParts, executionRole),
	"UpdateImagePipeline":         on("imagePipelineArn", buildParts, executionRole),
	"GetImagePipeline":            on("imagePipelineArn"),
	"DeleteImagePipeline":         on("imagePipelineArn"),
	"ListImagePipelines":          {on: everything},
	"ListImagePipelineImages":     on("imagePipelineArn"),
	"StartImagePipelineExecution": on("imagePipelineArn", tagging(pipelineImage)),

	"CreateImage":            makes(builtImage, buildParts, executionRole),
	"DistributeImage":        makes(distributedImage, distribution, executionRole),
	"ImportVmImage":          creates(ingot.KindImage),
	"ImportDiskImage":        creates(ingot.KindImage, buildParts, executionRole),
	"GetImage":               on("imageBuildVersionArn"),
	"DeleteImage":            on("imageBuildVersionArn"),
	"CancelImageCreation":    on("imageBuildVersionArn"),
	"RetryImage":             on("imageBuildVersionArn"),
	"ListImages":             {on: everything},
	"ListImageBuildVersions": onAny("imageVersionArn"),
	"ListImagePackages":      on("imageBuildVersionArn"),
	"GetImagePolicy":         on("imageArn"),
	"PutImagePolicy":         on("imageArn"),

	"ListImageScanFindings":            {on: everything},
	"ListImageScanFindingAggregations": {on: everything},

	"CreateWorkflow":            creates(ingot.KindWorkflow),
	"GetWorkflow":               on("workflowBuildVersionArn"),
	"DeleteWorkflow":            on("workflowBuildVersionArn"),
	"ListWorkflows":             {on: everything},
	"ListWorkflowBuildVersions": onAny("workflowVersionArn"),

	"ListWorkflowExecutions":     on("imageBuildVersionArn"),
	"ListWorkflowStepExecutions": {on: execution("workflow-execution", "workflowExecutionId")},
	"ListWaitingWorkflowSteps":   {on: everything},
	"GetWorkflowExecution":       {on: execution("workflow-execution", "workflowExecutionId")},
	"GetWorkflowStepExecution":   {on: execution("workflow-step-execution", "stepExecutionId")},
	"SendWorkflowStepAction":     {on: both(execution("workflow-step-execution", "stepExecutionId"), named("imageBuildVersionArn"))},

	"CreateLifecyclePolicy":           creates(ingot.KindLifecycle, executionRole),
	"UpdateLifecyclePolicy":           on("lifecyclePolicyArn", executionRole),
	"GetLifecyclePolicy":              on("lifecyclePolicyArn"),
	"DeleteLifecyclePolicy":           on("lifecyclePolicyArn"),
	"ListLifecyclePolicies":           {on: everything},
	"StartResourceStateUpdate":        on("resourceArn", executionRole),
	"GetLifecycleExecution":           {on: execution("lifecycle-execution", "lifecycleExecutionId")},
	"CancelLifecycleExecution":        {on: execution("lifecycle-execution", "lifecycleExecutionId")},
	"ListLifecycleExecutions":         on("resourceArn"),
	"ListLifecycleExecutionResources": {on: execution("lifecycle-execution", "lifecycleExecutionId")},

	"TagResource":         on("resourceArn"),
	"UntagResource":       on("resourceArn"),
	"ListTagsForResource": on("resourceArn"),

	"GetMarketplaceResource": on("resourceArn"),
}

// on is the rule of an operation on what a member names.
func on(member string, also ...part) rule { return rule{named(member), also} }

// onAny is the same with a member that may be absent.
func onAny(member string) rule { return rule{on: namedOrAll(member)} }

// creates is the rule of an operation that makes a resource of a kind.
func creates(kind ingot.Kind, also ...part) rule { return makes(created(kind), also...) }

// makes is the rule of an operation that makes a resource, which it may tag.
func makes(made resources, also ...part) rule {
	return rule{made, append([]part{tagging(made)}, also...)}
}

// question is a request that is to be allowed or not.
type question struct {
	ctx    context.Context
	server *Server
	call   *call
	in     map[string]any // the members of the input
}

// authorize returns CodeDenied unless the policies of the caller allow what it
// asks for. What the owner of a foreign resource allows is judged where the
// resource is looked up, since a version may have builds that are shared and
// others that are not.
func (s *Server) authorize(r *http.Request, c *call, in map[string]any) error {
	subject := c.identity.subject
	if subject.Unrestricted {
		return nil // no policy that could deny
	}
	q := &question{r.Context(), s, c, in}
	keys := q.keys(r)
	for _, n := range q.needs() {
		service, _, _ := strings.Cut(n.action, ":")
		if service != "imagebuilder" && !subject.Mentions(service) {
			continue // api.md §9.2: other services' actions only where policies name some
		}
		resource, tags, err := q.stored(n.resource)
		if err != nil {
			return err
		}
		own := maps.Clone(keys)
		own.SetTags("aws:ResourceTag", tags)
		if service, passes := passedTo[c.operation]; passes && n.action == passRole {
			own.Set("iam:PassedToService", service)
		}
		if err := (&iam.Request{Subject: subject, Action: n.action, Resource: resource, Keys: own}).Authorize(); err != nil {
			return err
		}
	}
	return nil
}

// needs are the operation on its resources, and then what goes with it.
func (q *question) needs() []need {
	rule := rules[q.call.operation]
	var needs []need
	for _, resource := range rule.on(q) {
		needs = append(needs, need{"imagebuilder:" + q.call.operation, resource})
	}
	for _, also := range rule.also {
		needs = append(needs, also(q)...)
	}
	return needs
}

// keys are the condition keys of the request. Source: api.md §9.2.
func (q *question) keys(r *http.Request) iam.Keys {
	k := iam.Keys{}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err == nil {
		k.Set("aws:SourceIp", host)
	}
	k.Set("aws:CurrentTime", q.call.started.UTC().Format(time.RFC3339))
	k.Set("aws:EpochTime", strconv.FormatInt(q.call.started.Unix(), 10))
	k.Set("aws:SecureTransport", strconv.FormatBool(r.TLS != nil))
	k.Set("aws:RequestedRegion", q.call.Region)
	if agent := r.UserAgent(); agent != "" {
		k.Set("aws:UserAgent", agent)
	}
	tags := q.tags("tags")
	k.SetTags("aws:RequestTag", tags)
	for key := range tags {
		k.Set("aws:TagKeys", key)
	}
	k.Set("aws:TagKeys", q.texts("tagKeys")...)
	q.ownKeys(k)
	return k
}

// ownKeys are the keys of this service.
func (q *question) ownKeys(k iam.Keys) {
	switch q.call.operation {
	case "CreateInfrastructureConfiguration", "UpdateInfrastructureConfiguration":
		tags := q.tags("resourceTags")
		k.SetTags("imagebuilder:CreatedResourceTag", tags)
		for key := range tags {
			k.Set("imagebuilder:CreatedResourceTagKeys", key)
		}
		setPresent(k, "imagebuilder:Ec2MetadataHttpTokens", q.text("instanceMetadataOptions", "httpTokens"))
		setPresent(k, "imagebuilder:StatusTopicArn", q.text("snsTopicArn"))
	case "CreateLifecyclePolicy", "UpdateLifecyclePolicy":
		setPresent(k, "imagebuilder:LifecyclePolicyResourceType", q.text("resourceType"))
	}
}

func setPresent(k iam.Keys, name, value string) {
	if value != "" {
		k.Set(name, value)
	}
}

// stored returns how a resource is spelt and tagged, if it is one that the
// caller can see. An ARN may spell a version with zeros before its numbers.
func (q *question) stored(resource string) (spelt string, tags map[string]string, err error) {
	arn, err := ingot.ParseARN(resource)
	if err != nil {
		return resource, nil, nil // "*", a new resource, or of another service
	}
	record, err := q.find(arn)
	switch {
	case ingot.ErrorCode(err) == ingot.CodeNotFound:
		return resource, nil, nil
	case err != nil:
		return "", nil, err
	case arn.IsExact():
		return record.ARN.String(), record.Tags, nil
	}
	return resource, record.Tags, nil
}

// find returns what an ARN names for the caller, as the operations of reading do.
func (q *question) find(arn ingot.ARN) (ingot.Record, error) {
	return findFor(q.ctx, q.server.Store, q.call.Account, arn)
}
