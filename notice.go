package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ingot.dev/ingot/model"
)

// noticeDate is a date as notices have it. Source: api.md §8.2.
type noticeDate string

// noticeDateOf turns a date of the API into one of a notice.
func noticeDateOf(date string) noticeDate {
	t, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return noticeDate(date) // absent, or not ours
	}
	return noticeDate(t.UTC().Format("Jan 2, 2006 3:04:05 PM"))
}

// imageNotice is the message to an image's topic. Source: api.md §8.2.
type imageNotice struct {
	VersionlessARN string      `json:"versionlessArn"`
	Semver         json.Number `json:"semver"`
	ARN            string      `json:"arn"`
	Name           string      `json:"name"`
	Version        string      `json:"version"`
	Type           string      `json:"type"`
	BuildVersion   int         `json:"buildVersion"`
	State          eventState  `json:"state"`
	Platform       string      `json:"platform"`

	ImageRecipe                 *recipeCopy          `json:"imageRecipe,omitempty"`
	ContainerRecipe             *containerRecipeCopy `json:"containerRecipe,omitempty"`
	SourcePipelineARN           string               `json:"sourcePipelineArn,omitempty"`
	InfrastructureConfiguration *infrastructureCopy  `json:"infrastructureConfiguration,omitempty"`
	DistributionConfiguration   *distributionCopy    `json:"distributionConfiguration,omitempty"`

	ImageTests       *model.ImageTestsConfiguration `json:"imageTestsConfigurationDocument,omitempty"`
	DateCreated      noticeDate                     `json:"dateCreated"`
	OutputResources  *model.OutputResources         `json:"outputResources,omitempty"`
	BuildExecution   string                         `json:"buildExecutionId,omitempty"`
	TestExecution    string                         `json:"testExecutionId,omitempty"`
	DistributionJob  string                         `json:"distributionJobId,omitempty"`
	AccountID        string                         `json:"accountId"`
	OSVersion        string                         `json:"osVersion,omitempty"`
	EnhancedMetadata *bool                          `json:"enhancedImageMetadataEnabled,omitempty"`
	BuildType        model.BuildType                `json:"buildType,omitempty"`
	Tags             map[string]string              `json:"tags"`
}

// The copies in a notice name their account, and have its form of dates.
type (
	recipeCopy struct {
		*model.ImageRecipe
		DateCreated noticeDate `json:"dateCreated,omitempty"`
		AccountID   string     `json:"accountId"`
	}
	containerRecipeCopy struct {
		*model.ContainerRecipe
		DateCreated noticeDate `json:"dateCreated,omitempty"`
		AccountID   string     `json:"accountId"`
	}
	infrastructureCopy struct {
		*model.InfrastructureConfiguration
		DateCreated noticeDate `json:"dateCreated,omitempty"`
		DateUpdated noticeDate `json:"dateUpdated,omitempty"`
		AccountID   string     `json:"accountId"`
	}
	distributionCopy struct {
		*model.DistributionConfiguration
		DateCreated noticeDate `json:"dateCreated,omitempty"`
		DateUpdated noticeDate `json:"dateUpdated,omitempty"`
		AccountID   string     `json:"accountId"`
	}
)

// newImageNotice is the notice of an image as it is, its executions and tags aside.
func newImageNotice(arn ARN, i *model.Image) *imageNotice {
	n := &imageNotice{
		VersionlessARN: arn.WithVersion(Version{}).String(), Semver: json.Number(arn.Semver()),
		ARN: i.Arn, Name: i.Name, Version: arn.Version.String(), Type: string(i.Type), BuildVersion: arn.Build,
		State: eventState{i.State.Status, i.State.Reason}, Platform: string(i.Platform),
		SourcePipelineARN: i.SourcePipelineArn, ImageTests: i.ImageTestsConfiguration,
		DateCreated: noticeDateOf(i.DateCreated), OutputResources: i.OutputResources, AccountID: arn.Account,
		OSVersion: i.OsVersion, EnhancedMetadata: i.EnhancedImageMetadataEnabled, BuildType: i.BuildType,
	}
	if c := i.ImageRecipe; c != nil {
		n.ImageRecipe = &recipeCopy{c, noticeDateOf(c.DateCreated), accountOf(c.Arn)}
	}
	if c := i.ContainerRecipe; c != nil {
		n.ContainerRecipe = &containerRecipeCopy{c, noticeDateOf(c.DateCreated), accountOf(c.Arn)}
	}
	if c := i.InfrastructureConfiguration; c != nil {
		n.InfrastructureConfiguration = &infrastructureCopy{c, noticeDateOf(c.DateCreated), noticeDateOf(c.DateUpdated), accountOf(c.Arn)}
	}
	if c := i.DistributionConfiguration; c != nil {
		n.DistributionConfiguration = &distributionCopy{c, noticeDateOf(c.DateCreated), noticeDateOf(c.DateUpdated), accountOf(c.Arn)}
	}
	return n
}

func accountOf(arn string) string {
	a, err := ParseARN(arn)
	if err != nil {
		return "" // a copy that an older version stored without ARN
	}
	return a.Account
}

// noticeNames is the name space of the internal ids in notices.
var noticeNames = uuid.MustParse("a83c9f0e-52b7-4d0b-8a1c-2f6b7d3e9c40")

// addTags gives a notice the tags of its image and the two of the service.
func (n *imageNotice) addTags(tags map[string]string) {
	n.Tags = map[string]string{}
	for k, v := range tags {
		n.Tags[k] = v
	}
	n.Tags["internalId"] = uuid.NewSHA1(noticeNames, []byte(n.ARN)).String()
	n.Tags["resourceArn"] = n.ARN
}

// maxExecutions bounds how many executions of one image a notice looks
// through: ten workflows, each retried a few times.
const maxExecutions = 100

// addExecutions gives a notice the ids of the stages that ran.
func (n *imageNotice) addExecutions(ctx context.Context, r ExecutionReader, image ARN) error {
	list, _, err := r.WorkflowExecutions(ctx, image, "", maxExecutions)
	if err != nil {
		return err
	}
	ids := map[model.WorkflowType]string{}
	for _, e := range list { // newest first: of several the first one that ran stays
		if !e.Retried {
			ids[e.Type] = strings.TrimPrefix(e.WorkflowExecutionId, "wf-")
		}
	}
	n.BuildExecution, n.TestExecution = ids[model.WorkflowTypeBuild], ids[model.WorkflowTypeTest]
	n.DistributionJob = ids[model.WorkflowTypeDistribution]
	return nil
}

// tellTopic sends the notice that the making of an image has ended to the topic
// of its infrastructure configuration, if there is one. Source: api.md §8.2.
func tellTopic(ctx context.Context, tx Tx, arn ARN, image *model.Image, tags map[string]string, now time.Time) error {
	if image.InfrastructureConfiguration == nil || image.InfrastructureConfiguration.SnsTopicArn == "" {
		return nil
	}
	n := newImageNotice(arn, image)
	n.addTags(tags)
	if err := n.addExecutions(ctx, tx, arn); err != nil {
		return err
	}
	subject := fmt.Sprintf("%s %s is %s", image.Name, imageVersion(arn), image.State.Status)
	return putNotice(ctx, tx, ChannelTopic, image.InfrastructureConfiguration.SnsTopicArn, arn, subject, n, now)
}

func putNotice(ctx context.Context, w MessageWriter, c Channel, name string, about ARN, subject string, body any, now time.Time) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding a notice of %s: %w", about, err)
	}
	return w.PutMessage(ctx, Message{
		ID: uuid.NewString(), Channel: c, Name: name, About: about.String(), Subject: subject, Time: now, Body: data,
	})
}

// ActionNotice says whom a step that waits for an action tells, besides the
// event. All of it is optional; Payload is JSON of the workflow's author.
type ActionNotice struct {
	Topic    string          `json:"snsTopicArn"`
	Function string          `json:"lambdaFunctionName"`
	Payload  json.RawMessage `json:"payload"`
}

// actionMessage is the default message. Source: workflows.md §7.14.
type actionMessage struct {
	Image     string          `json:"imageBuildVersionArn"`
	Execution string          `json:"workflowExecutionId"`
	Step      string          `json:"workflowStepExecutionId"`
	Name      string          `json:"workflowStepName"`
	Payload   json.RawMessage `json:"payload,omitempty"`
}

// TellActionAwaited tells that a step of the action WaitForAction waits: the
// event, and the notices that the step asks for. Call it in the transaction
// that makes the step WAITING.
func TellActionAwaited(ctx context.Context, w MessageWriter, s StepExecution, n ActionNotice, now time.Time) error {
	image, err := ParseARN(s.ImageBuildVersionArn)
	if err != nil {
		return err
	}
	if err := TellStepWaiting(ctx, w, s, now); err != nil {
		return err
	}
	subject := fmt.Sprintf("Step %s of %s %s waits for an action", s.Name, image.Name, imageVersion(image))
	message := actionMessage{s.ImageBuildVersionArn, s.WorkflowExecutionId, s.StepExecutionId, s.Name, n.Payload}
	if n.Topic != "" {
		if err := putNotice(ctx, w, ChannelTopic, n.Topic, image, subject, message, now); err != nil {
			return err
		}
	}
	if n.Function == "" {
		return nil
	}
	return putNotice(ctx, w, ChannelFunction, n.Function, image, subject, message, now)
}
