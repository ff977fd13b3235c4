package api

import (
	"fmt"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// text is a string member of the input, or empty.
func (q *question) text(path ...string) string {
	var value any = q.in
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	text, _ := value.(string)
	return text
}

// texts is a member that is a list of strings.
func (q *question) texts(name string) (texts []string) {
	list, _ := q.in[name].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// tags is a member that is a map of strings.
func (q *question) tags(name string) map[string]string {
	tags := map[string]string{}
	members, _ := q.in[name].(map[string]any)
	for key, v := range members {
		tags[key], _ = v.(string)
	}
	return tags
}

// objects is a member that is a list of objects.
func (q *question) objects(name string) []*question {
	list, _ := q.in[name].([]any)
	var objects []*question
	for _, v := range list {
		if members, ok := v.(map[string]any); ok {
			objects = append(objects, &question{q.ctx, q.server, q.call, members})
		}
	}
	return objects
}

// arn is an ARN of the caller's namespace, of this service or another.
func (q *question) arn(service, region, tail string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", q.call.Partition, service, region, q.call.Account, tail)
}

func everything(*question) []string { return []string{"*"} }

// named is the ARN that a member gives.
func named(member string) resources {
	return func(q *question) []string { return []string{q.text(member)} }
}

// namedOrAll is the ARN that a member gives, or everything without it.
func namedOrAll(member string) resources {
	return func(q *question) []string {
		if text := q.text(member); text != "" {
			return []string{text}
		}
		return []string{"*"}
	}
}

// execution is the ARN that stands for an id. Source: api.md §2.2.
func execution(kind, member string) resources {
	return func(q *question) []string {
		return []string{q.arn("imagebuilder", q.call.Region, kind+"/"+q.text(member))}
	}
}

func both(a, b resources) resources {
	return func(q *question) []string { return append(a(q), b(q)...) }
}

// created is the ARN of the resource that the request makes, with any build.
func created(kind ingot.Kind) resources {
	return func(q *question) []string {
		tail := string(kind) + "/"
		if kind == ingot.KindWorkflow {
			tail += strings.ToLower(q.text("type")) + "/"
		}
		tail += ingot.NormalizeName(q.text("name"))
		if kind.HasVersions() {
			tail += "/" + q.text("semanticVersion")
		}
		if kind.HasBuilds() {
			tail += "/*"
		}
		return []string{q.arn("imagebuilder", q.call.Region, tail)}
	}
}

// builtImage is the image that a recipe is built into: it has the recipe's
// name and version, which a wildcard leaves to the newest recipe.
func builtImage(q *question) []string {
	text := q.text("imageRecipeArn")
	if text == "" {
		text = q.text("containerRecipeArn")
	}
	return q.imageOf(text)
}

// distributedImage is the image that a distribution makes of another, or of an
// AMI, whose image gets a name of its own.
func distributedImage(q *question) []string {
	source := q.text("sourceImage")
	if !strings.HasPrefix(source, "arn:") {
		return []string{q.arn("imagebuilder", q.call.Region, "image/*")}
	}
	return q.imageOf(source)
}

// pipelineImage is the image that a pipeline makes. Of a pipeline that is not
// there it is any; the handler will say so.
func pipelineImage(q *question) []string {
	arn, err := ingot.ParseARN(q.text("imagePipelineArn"))
	if err == nil {
		if record, err := q.find(arn); err == nil {
			if p, err := ingot.Decode[model.ImagePipeline](record); err == nil {
				return q.imageOf(p.ImageRecipeArn + p.ContainerRecipeArn) // one of them is empty
			}
		}
	}
	return []string{q.arn("imagebuilder", q.call.Region, "image/*")}
}

// imageOf is an image of the caller with the name and version of a resource.
func (q *question) imageOf(text string) []string {
	arn, err := ingot.ParseARN(text)
	if err != nil {
		return []string{text} // the handler will refuse it
	}
	if record, err := q.find(arn); err == nil {
		arn = record.ARN
	}
	return []string{q.arn("imagebuilder", q.call.Region, fmt.Sprintf("image/%s/%s/*", arn.Name, arn.Version))}
}

// The actions of other services that operations come with.
const passRole = "iam:PassRole"

// passedTo is the service that gets the role. Source: api.md §9.1.
var passedTo = map[string]string{
	"CreateInfrastructureConfiguration": "ec2.amazonaws.com", "UpdateInfrastructureConfiguration": "ec2.amazonaws.com",
	"CreateDistributionConfiguration": "vmie.amazonaws.com", "UpdateDistributionConfiguration": "vmie.amazonaws.com",
	"CreateImagePipeline": servicePrincipal, "UpdateImagePipeline": servicePrincipal, "CreateImage": servicePrincipal,
	"DistributeImage": servicePrincipal, "ImportDiskImage": servicePrincipal, "StartResourceStateUpdate": servicePrincipal,
	"CreateLifecyclePolicy": servicePrincipal, "UpdateLifecyclePolicy": servicePrincipal,
}

const servicePrincipal = "imagebuilder.amazonaws.com"

// tagging is TagResource on what is made, if it is made with tags.
func tagging(made resources) part {
	return func(q *question) (needs []need) {
		if len(q.tags("tags")) == 0 {
			return nil
		}
		for _, resource := range made(q) {
			needs = append(needs, need{"imagebuilder:TagResource", resource})
		}
		return needs
	}
}

// get needs an action on what a member names, if it is an ARN.
func (q *question) get(action, member string) []need {
	if text := q.text(member); strings.HasPrefix(text, "arn:") {
		return []need{{"imagebuilder:" + action, text}}
	}
	return nil
}

// recipeParts are the components and the parent image of a recipe.
func recipeParts(q *question) []need {
	needs := q.get("GetImage", "parentImage")
	for _, c := range q.objects("components") {
		needs = append(needs, c.get("GetComponent", "componentArn")...)
	}
	return needs
}

// buildParts are what a build is made from.
func buildParts(q *question) []need {
	needs := q.get("GetImageRecipe", "imageRecipeArn")
	needs = append(needs, q.get("GetContainerRecipe", "containerRecipeArn")...)
	needs = append(needs, q.get("GetInfrastructureConfiguration", "infrastructureConfigurationArn")...)
	needs = append(needs, q.get("GetDistributionConfiguration", "distributionConfigurationArn")...)
	for _, w := range q.objects("workflows") {
		needs = append(needs, w.get("GetWorkflow", "workflowArn")...)
	}
	return needs
}

// distribution is what DistributeImage reads.
func distribution(q *question) []need {
	return append(q.get("GetImage", "sourceImage"), q.get("GetDistributionConfiguration", "distributionConfigurationArn")...)
}

// role is the ARN of a role that a member gives by name or ARN.
func (q *question) role(path ...string) []need {
	name := q.text(path...)
	switch {
	case name == "":
		return nil
	case !strings.HasPrefix(name, "arn:"):
		name = q.arn("iam", "", "role/"+name)
	}
	return []need{{passRole, name}}
}

func executionRole(q *question) []need { return q.role("executionRole") }

// instances is what build instances are given. Choice: the role in an instance
// profile, which is not known here, has the profile's name, as those have that
// the vendor's console makes.
func instances(q *question) []need {
	needs := q.role("instanceProfileName")
	if profile := q.text("instanceProfileName"); profile != "" {
		needs = append(needs, need{"iam:GetInstanceProfile", q.arn("iam", "", "instance-profile/"+profile)})
	}
	if topic := q.text("snsTopicArn"); topic != "" {
		needs = append(needs, need{"sns:Publish", topic})
	}
	return needs
}

// exports are the roles that exports to a bucket are done with.
func exports(q *question) (needs []need) {
	for _, d := range q.objects("distributions") {
		needs = append(needs, d.role("s3ExportConfiguration", "roleName")...)
	}
	return needs
}

// repository is where container images go.
func repository(q *question) []need {
	name := q.text("targetRepository", "repositoryName")
	if name == "" {
		return nil
	}
	arn := q.arn("ecr", q.call.Region, "repository/"+name)
	return []need{{"ecr:DescribeRepositories", arn}, {"ecr:DescribeImages", arn}}
}
