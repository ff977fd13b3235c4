package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"ingot.dev/ingot/model"
)

// EventType is the member detail-type of an event.
type EventType string

// The events. Source: api.md §8.1.
const (
	EventImageState       EventType = "EC2 Image Builder Image State Change"
	EventCVE              EventType = "EC2 Image Builder CVE Detected"
	EventStepWaiting      EventType = "EC2 Image Builder Workflow Step Waiting"
	EventPipelineDisabled EventType = "EC2 Image Builder Image Pipeline Automatically Disabled"
)

// Event is something that happened, in the form of an event bus. Source: api.md §8.1.
type Event struct {
	Version    string    `json:"version"` // "0"
	ID         string    `json:"id"`      // that of its message
	DetailType EventType `json:"detail-type"`
	Source     string    `json:"source"`
	Account    string    `json:"account"`
	Time       string    `json:"time"` // UTC, seconds
	Region     string    `json:"region"`
	Resources  []string  `json:"resources"` // the first one is what it is about
	Detail     any       `json:"detail"`
}

// tell puts an event about a resource into the outbox. subject is what happened
// in a line, others are the further resources that it concerns.
func tell(ctx context.Context, w MessageWriter, about ARN, kind EventType, subject string, detail any, now time.Time, others ...string) error {
	id := uuid.NewString()
	body, err := json.Marshal(Event{
		Version: "0", ID: id, DetailType: kind, Source: "aws.imagebuilder",
		Account: about.Account, Region: about.Region, Time: now.UTC().Format(time.RFC3339),
		Resources: append([]string{about.String()}, others...), Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("encoding an event of %s: %w", about, err)
	}
	return w.PutMessage(ctx, Message{
		ID: id, Channel: ChannelEvents, Name: string(kind), About: about.String(), Time: now,
		Subject: subject, Body: body,
	})
}

type (
	imageStateDetail struct {
		Previous *eventState `json:"previous-state,omitempty"` // absent at creation
		State    eventState  `json:"state"`
	}
	eventState struct {
		Status model.ImageStatus `json:"status"`
		Reason string            `json:"reason,omitempty"`
	}
	findingsDetail struct {
		Resource string         `json:"resource-id"`
		Counts   severityCounts `json:"finding-severity-counts"`
	}
	severityCounts struct {
		All      int64 `json:"all"`
		Critical int64 `json:"critical"`
		High     int64 `json:"high"`
		Medium   int64 `json:"medium"`
	}
	stepWaitingDetail struct {
		Execution string `json:"workflow-execution-id"`
		Step      string `json:"workflow-step-execution-id"`
		Name      string `json:"workflow-step-name"`
	}
	pipelineDisabledDetail struct {
		Failures string `json:"consecutive-failures"`
	}
)

// tellImageState tells that an image has got a status; from is empty for a new image.
func tellImageState(ctx context.Context, w MessageWriter, image ARN, from model.ImageStatus, to model.ImageState, now time.Time) error {
	detail := imageStateDetail{State: eventState{to.Status, to.Reason}}
	if from != "" {
		detail.Previous = &eventState{Status: from}
	}
	subject := fmt.Sprintf("%s %s is %s", image.Name, imageVersion(image), to.Status)
	return tell(ctx, w, image, EventImageState, subject, detail, now)
}

// TellFindings tells that the scan of an image has found vulnerabilities.
// pipeline is the ARN of its pipeline, if any, instance what was scanned.
func TellFindings(ctx context.Context, w MessageWriter, image ARN, pipeline, instance string, n model.SeverityCounts, now time.Time) error {
	detail := findingsDetail{instance, severityCounts{count(n.All), count(n.Critical), count(n.High), count(n.Medium)}}
	var others []string
	if pipeline != "" {
		others = append(others, pipeline)
	}
	subject := fmt.Sprintf("%s %s has %d findings", image.Name, imageVersion(image), detail.Counts.All)
	return tell(ctx, w, image, EventCVE, subject, detail, now, others...)
}

func count(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// TellStepWaiting tells that a step of a workflow has begun to wait.
func TellStepWaiting(ctx context.Context, w MessageWriter, s StepExecution, now time.Time) error {
	image, err := ParseARN(s.ImageBuildVersionArn)
	if err != nil {
		return err
	}
	detail := stepWaitingDetail{s.WorkflowExecutionId, s.StepExecutionId, s.Name}
	subject := fmt.Sprintf("Step %s of %s %s waits", s.Name, image.Name, imageVersion(image))
	return tell(ctx, w, image, EventStepWaiting, subject, detail, now, s.WorkflowBuildVersionArn)
}

// TellPipelineDisabled tells that a pipeline was disabled after so many
// failures in a row. Source: api.md §5.5.
func TellPipelineDisabled(ctx context.Context, w MessageWriter, pipeline ARN, failures int, now time.Time) error {
	subject := fmt.Sprintf("Pipeline %s is disabled after %d failures", pipeline.Name, failures)
	return tell(ctx, w, pipeline, EventPipelineDisabled, subject, pipelineDisabledDetail{strconv.Itoa(failures)}, now)
}
