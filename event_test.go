package ingot_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/sqlite"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 123, time.UTC)

const topic = "arn:aws:sns:us-east-1:111122223333:builds"

func openStore(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func parseARN(t *testing.T, tail string) ingot.ARN {
	t.Helper()
	a, err := ingot.ParseARN("arn:aws:imagebuilder:us-east-1:111122223333:" + tail)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t *testing.T, db *sqlite.DB, f func(context.Context, ingot.Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx ingot.Tx) error { return f(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// storeImage stores a PENDING image with copies of a recipe and a configuration.
func storeImage(t *testing.T, db *sqlite.DB, arn ingot.ARN) {
	t.Helper()
	account := "arn:aws:imagebuilder:us-east-1:111122223333:"
	image := model.Image{
		Arn: arn.String(), Name: "Web Server", Type: model.ImageTypeAmi, Platform: model.PlatformLinux, OsVersion: "Debian 12",
		Version: "1.0.0/3", State: &model.ImageState{Status: model.ImageStatusPending}, DateCreated: "2022-07-28T01:13:45.000Z",
		ImageRecipe:                  &model.ImageRecipe{Arn: account + "image-recipe/web-server/1.0.0", Name: "Web Server", DateCreated: "2022-07-27T13:00:00.000Z", Tags: map[string]string{"of": "recipe"}},
		InfrastructureConfiguration:  &model.InfrastructureConfiguration{Arn: account + "infrastructure-configuration/small", Name: "small", SnsTopicArn: topic, DateCreated: "2022-07-01T00:00:00.000Z", DateUpdated: "2022-07-02T12:00:00.000Z"},
		EnhancedImageMetadataEnabled: new(true), BuildType: model.BuildTypeScheduled, SourcePipelineArn: account + "image-pipeline/nightly",
		ImageTestsConfiguration: &model.ImageTestsConfiguration{ImageTestsEnabled: new(true), TimeoutMinutes: new(720)},
		OutputResources:         &model.OutputResources{Amis: []model.Ami{}},
	}
	document, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	r := ingot.Record{ARN: arn, Name: image.Name, Status: "PENDING", Created: noon, Updated: noon, Document: document, Tags: map[string]string{"team": "web"}}
	write(t, db, func(ctx context.Context, tx ingot.Tx) error { return tx.Create(ctx, r) })
}

// told takes the messages out of the outbox.
func told(t *testing.T, db *sqlite.DB) (list []ingot.Message) {
	t.Helper()
	_, err := db.RouteMessages(t.Context(), 100, noon, func(m ingot.Message) []string {
		list = append(list, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func wantEvent(t *testing.T, m ingot.Message, kind ingot.EventType, resources []string, detail string) {
	t.Helper()
	var e struct {
		ingot.Event
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatal(err)
	}
	want := ingot.Event{
		Version: "0", ID: m.ID, DetailType: kind, Source: "aws.imagebuilder", Account: "111122223333",
		Time: "2026-07-01T12:00:00Z", Region: "us-east-1", Resources: resources,
	}
	if diff := cmp.Diff(want, e.Event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(compact(t, detail), compact(t, string(e.Detail))); diff != "" {
		t.Errorf("detail of %s (-want +got):\n%s", kind, diff)
	}
	if m.Channel != ingot.ChannelEvents || m.Name != string(kind) || m.About != resources[0] {
		t.Errorf("message %s %q about %s, want one of the event about its first resource", m.Channel, m.Name, m.About)
	}
}

func update(t *testing.T, db *sqlite.DB, arn ingot.ARN, to model.ImageStatus, change func(*model.Image)) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx ingot.Tx) error {
		return ingot.UpdateImage(ctx, tx, arn, nil, to, noon, func(i *model.Image) {
			if change != nil {
				change(i)
			}
		})
	})
}

// TestEveryStatusIsTold walks an image through its statuses.
func TestEveryStatusIsTold(t *testing.T) {
	db, arn := openStore(t), parseARN(t, "image/web-server/1.0.0/3")
	storeImage(t, db, arn)
	from := model.ImageStatusPending
	for _, to := range []model.ImageStatus{
		model.ImageStatusCreating, model.ImageStatusBuilding, model.ImageStatusTesting, model.ImageStatusDistributing,
		model.ImageStatusIntegrating, model.ImageStatusAvailable, model.ImageStatusDeprecated, model.ImageStatusDisabled, model.ImageStatusAvailable,
	} {
		update(t, db, arn, to, nil)
		update(t, db, arn, to, nil) // no change
		list := told(t, db)
		want := 1
		if from == model.ImageStatusIntegrating {
			want = 2 // its topic, too
		}
		if len(list) != want {
			t.Fatalf("%d messages of %s to %s, want %d", len(list), from, to, want)
		}
		wantEvent(t, list[0], ingot.EventImageState, []string{arn.String()},
			`{"previous-state":{"status":"`+string(from)+`"},"state":{"status":"`+string(to)+`"}}`)
		from = to
	}
}

// TestNoticeG18 is case G18: one message at the end, with the numbers of the version.
func TestNoticeG18(t *testing.T) {
	db, arn := openStore(t), parseARN(t, "image/web-server/1.0.0/3")
	storeImage(t, db, arn)
	write(t, db, func(ctx context.Context, tx ingot.Tx) error {
		var e ingot.WorkflowExecution
		e.WorkflowExecutionId, e.ImageBuildVersionArn, e.Type = "wf-11111111-2222-4333-8444-555555555555", arn.String(), model.WorkflowTypeBuild
		return tx.PutWorkflowExecution(ctx, e)
	})
	update(t, db, arn, model.ImageStatusAvailable, nil)
	write(t, db, func(ctx context.Context, tx ingot.Tx) error { return ingot.DeleteImage(ctx, tx, arn) })
	list := told(t, db)
	if len(list) != 2 {
		t.Fatalf("%d messages, want the event and the notice", len(list))
	}
	m := list[1]
	if m.Channel != ingot.ChannelTopic || m.Name != topic || m.About != arn.String() || m.Subject != "Web Server 1.0.0/3 is AVAILABLE" {
		t.Errorf("the notice goes to %s %s about %s as %q", m.Channel, m.Name, m.About, m.Subject)
	}
	// As text: the number is beyond what a float64 holds.
	const want = `{"versionlessArn":"arn:aws:imagebuilder:us-east-1:111122223333:image/web-server","semver":1237940039285380274899124227,` +
		`"arn":"arn:aws:imagebuilder:us-east-1:111122223333:image/web-server/1.0.0/3","name":"Web Server","version":"1.0.0","type":"AMI","buildVersion":3,` +
		`"state":{"status":"AVAILABLE"},"platform":"Linux",` +
		`"imageRecipe":{"arn":"arn:aws:imagebuilder:us-east-1:111122223333:image-recipe/web-server/1.0.0","name":"Web Server","tags":{"of":"recipe"},"dateCreated":"Jul 27, 2022 1:00:00 PM","accountId":"111122223333"},` +
		`"sourcePipelineArn":"arn:aws:imagebuilder:us-east-1:111122223333:image-pipeline/nightly",` +
		`"infrastructureConfiguration":{"arn":"arn:aws:imagebuilder:us-east-1:111122223333:infrastructure-configuration/small","name":"small","snsTopicArn":"` + topic + `","dateCreated":"Jul 1, 2022 12:00:00 AM","dateUpdated":"Jul 2, 2022 12:00:00 PM","accountId":"111122223333"},` +
		`"imageTestsConfigurationDocument":{"imageTestsEnabled":true,"timeoutMinutes":720},"dateCreated":"Jul 28, 2022 1:13:45 AM","outputResources":{"amis":[]},` +
		`"buildExecutionId":"11111111-2222-4333-8444-555555555555","accountId":"111122223333","osVersion":"Debian 12","enhancedImageMetadataEnabled":true,"buildType":"SCHEDULED",` +
		`"tags":{"internalId":"f8d445cd-597a-5ff3-9bde-b606a59c9109","resourceArn":"arn:aws:imagebuilder:us-east-1:111122223333:image/web-server/1.0.0/3","team":"web"}}`
	if diff := cmp.Diff(want, string(m.Body)); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
}

// TestNoticeRI15 is case RI-15, and that failures and cancellations are told, once.
func TestNoticeRI15(t *testing.T) {
	for _, to := range []model.ImageStatus{model.ImageStatusAvailable, model.ImageStatusFailed, model.ImageStatusCancelled} {
		db, arn := openStore(t), parseARN(t, "image/web-server/2.1.3/7")
		storeImage(t, db, arn)
		update(t, db, arn, model.ImageStatusBuilding, nil)
		update(t, db, arn, to, func(i *model.Image) { i.State.Reason = "because" })
		var notices []ingot.Message
		for _, m := range told(t, db) {
			if m.Channel == ingot.ChannelTopic {
				notices = append(notices, m)
			}
		}
		if len(notices) != 1 {
			t.Fatalf("%s: %d notices, want 1", to, len(notices))
		}
		var got struct {
			Semver json.Number
			State  model.ImageState
		}
		if err := json.Unmarshal(notices[0].Body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Semver != "2475880079723682057626320903" || got.State.Status != to || got.State.Reason != "because" {
			t.Errorf("%s: notice of semver %s and state %+v", to, got.Semver, got.State)
		}
	}
}

func TestOtherEvents(t *testing.T) {
	db, image, pipeline := openStore(t), parseARN(t, "image/web-server/1.0.0/3"), parseARN(t, "image-pipeline/nightly")
	var step ingot.StepExecution
	step.ImageBuildVersionArn, step.WorkflowExecutionId, step.StepExecutionId, step.Name = image.String(), "wf-1", "step-1", "Approve"
	step.WorkflowBuildVersionArn = parseARN(t, "workflow/test/approve/1.0.0/1").String()
	write(t, db, func(ctx context.Context, tx ingot.Tx) error {
		if err := ingot.TellFindings(ctx, tx, image, pipeline.String(), "i-1", model.SeverityCounts{All: new(int64(3)), High: new(int64(2))}, noon); err != nil {
			return err
		}
		if err := ingot.TellPipelineDisabled(ctx, tx, pipeline, 5, noon); err != nil {
			return err
		}
		return ingot.TellActionAwaited(ctx, tx, step, ingot.ActionNotice{Topic: topic, Function: "ask", Payload: json.RawMessage(`{"a":[1]}`)}, noon)
	})
	list := told(t, db)
	if len(list) != 5 {
		t.Fatalf("%d messages, want 5", len(list))
	}
	wantEvent(t, list[0], ingot.EventCVE, []string{image.String(), pipeline.String()},
		`{"resource-id":"i-1","finding-severity-counts":{"all":3,"critical":0,"high":2,"medium":0}}`)
	wantEvent(t, list[1], ingot.EventPipelineDisabled, []string{pipeline.String()}, `{"consecutive-failures":"5"}`)
	wantEvent(t, list[2], ingot.EventStepWaiting, []string{image.String(), step.WorkflowBuildVersionArn},
		`{"workflow-execution-id":"wf-1","workflow-step-execution-id":"step-1","workflow-step-name":"Approve"}`)
	const message = `{"imageBuildVersionArn":"arn:aws:imagebuilder:us-east-1:111122223333:image/web-server/1.0.0/3","workflowExecutionId":"wf-1","workflowStepExecutionId":"step-1","workflowStepName":"Approve","payload":{"a":[1]}}`
	for i, want := range []struct {
		channel ingot.Channel
		name    string
	}{{ingot.ChannelTopic, topic}, {ingot.ChannelFunction, "ask"}} {
		m := list[3+i]
		if m.Channel != want.channel || m.Name != want.name || m.Subject != "Step Approve of web-server 1.0.0/3 waits for an action" {
			t.Errorf("message to %s %s: %q", m.Channel, m.Name, m.Subject)
		}
		if diff := cmp.Diff(message, string(m.Body)); diff != "" {
			t.Errorf("message to %s (-want +got):\n%s", m.Name, diff)
		}
	}
}
