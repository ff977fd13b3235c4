package api_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/lifecycle"
	"ingot.dev/ingot/model"
	regionset "ingot.dev/ingot/region"
)

// keeper is a server whose lifecycles are carried out when a test says so.
type keeper struct {
	*server
	at      *time.Time
	regions *regionset.Set
	runner  *lifecycle.Runner
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	now := time.Now().Truncate(time.Millisecond)
	k := &keeper{at: &now}
	var woken waker
	k.server = start(t, clock(k.at), func(c *api.Config) { c.Lifecycle = &woken })
	dir := t.TempDir()
	k.regions = regionset.Open(filepath.Join(dir, "regions"), filepath.Join(dir, "cache"), k.Store)
	k.runner = lifecycle.New(lifecycle.Config{
		Store: k.Store, Regions: k.regions, Now: k.now, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	woken.Runner = k.runner
	return k
}

// waker passes on that something has changed.
type waker struct{ *lifecycle.Runner }

// settle lets a server do what is due after some time.
func (k *keeper) settle(after time.Duration) {
	k.t.Helper()
	*k.at = k.at.Add(after)
	_, err := k.runner.Pass(context.Background())
	must(k.t, err)
}

// putImage stores a build of a version of the recipe demo with an AMI of its
// own, so long ago.
func (k *keeper) putImage(version string, build int, status model.ImageStatus, ago time.Duration, tags map[string]string) (arn string, ami ingot.AMI) {
	k.t.Helper()
	a, err := ingot.ParseARN(fmt.Sprintf("%simage/demo/%s/%d", own, version, build))
	must(k.t, err)
	arn = a.String()
	snapshot := regionset.SnapshotID(arn)
	ami = ingot.AMI{
		Scope: a.Scope(), ID: regionset.AMIID(arn, a.Region, snapshot), Name: arn, Snapshot: string(snapshot), ImageARN: arn, Tags: tags,
		Permission: &model.LaunchPermissionConfiguration{UserIds: []string{otherAccount}},
	}
	local, err := k.regions.Region(a.Region)
	must(k.t, err)
	importDisk(k.t, local, snapshot)
	must(k.t, local.RegisterImage(context.Background(), ami))
	document, err := json.Marshal(model.Image{
		Arn: arn, Name: "demo", Version: fmt.Sprintf("%s/%d", version, build), Type: model.ImageTypeAmi, State: &model.ImageState{Status: status},
		ImageRecipe:     &model.ImageRecipe{Arn: own + "image-recipe/demo/" + version},
		OutputResources: &model.OutputResources{Amis: []model.Ami{{Region: a.Region, AccountId: a.Account, Image: ami.ID}}},
	})
	must(k.t, err)
	k.put(ingot.Record{ARN: a, Name: "demo", Status: string(status), Created: k.now().Add(-ago), Updated: k.now(), Document: document})
	return arn, ami
}

// importDisk stores a small disk with one partition.
func importDisk(t testing.TB, local *regionset.Region, id disk.SnapshotID) {
	t.Helper()
	raw := make([]byte, 64<<10)
	raw[446+4] = 0x83
	binary.LittleEndian.PutUint32(raw[446+8:], 8)
	binary.LittleEndian.PutUint32(raw[446+12:], 100)
	raw[510], raw[511] = 0x55, 0xaa
	path := filepath.Join(t.TempDir(), "disk.raw")
	must(t, os.WriteFile(path, raw, 0o600))
	_, err := local.Disks.Import(context.Background(), id, path, "")
	must(t, err)
}

// builds are the builds of demo that are listed.
func (k *keeper) builds() (arns []string) {
	k.t.Helper()
	list, _ := k.must("POST", "/ListImageBuildVersions", nil)["imageSummaryList"].([]any)
	for n := range list {
		arns = append(arns, dig(list, n, "arn").(string))
	}
	slices.Sort(arns)
	return arns
}

// execution is the newest one of a policy or image, with its rows.
func (k *keeper) execution(of string) (e, rows any) {
	k.t.Helper()
	e = dig(k.must("POST", "/ListLifecycleExecutions", obj{"resourceArn": of}), "lifecycleExecutions", 0)
	id := dig(e, "lifecycleExecutionId")
	return e, k.must("POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": id})["resources"]
}

var withAMIs = obj{"includeResources": obj{"amis": true}, "executionRole": role}

var lifecycleCases = cases{
	"G15": func(t *testing.T) {
		k := newKeeper(t)
		arn, ami := k.putImage("1.0.0", 1, "AVAILABLE", time.Hour, nil)
		in := stateUpdate(arn, "DELETED", obj{"includeResources": obj{"amis": true, "snapshots": true}, "executionRole": role})
		id, _ := k.must("PUT", "/StartResourceStateUpdate", in)["lifecycleExecutionId"].(string)
		if !executionID.MatchString(id) {
			t.Errorf("lifecycleExecutionId = %q", id)
		}
		k.refused(400, "ResourceInUseException", "PUT", "/StartResourceStateUpdate", stateUpdate(arn, "DISABLED", nil), id)
		k.settle(0)
		e, rows := k.execution(arn)
		if dig(e, "state", "status") != "SUCCESS" || dig(e, "lifecycleExecutionId") != id || dig(e, "resourcesImpactedSummary", "hasImpactedResources") != true {
			t.Errorf("the execution is %v", e)
		}
		if dig(rows, 0, "resourceId") != arn || dig(rows, 0, "state", "status") != "SUCCESS" {
			t.Errorf("its resources are %v", rows)
		}
		outputs := k.must("POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": id, "parentResourceId": arn})["resources"]
		if dig(outputs, 0, "resourceId") != ami.ID || dig(outputs, 0, "snapshots", 0, "snapshotId") != ami.Snapshot || dig(outputs, 0, "snapshots", 0, "state", "status") != "SUCCESS" {
			t.Errorf("its outputs are %v", outputs)
		}
		k.refused(404, notFound, "GET", "/GetImage?imageBuildVersionArn="+arn, nil, arn)
		if _, err := k.Store.FindAMI(t.Context(), ami.Scope, ami.ID); ingot.ErrorCode(err) != ingot.CodeNotFound {
			t.Errorf("FindAMI = %v", err)
		}
		local, err := k.regions.Region(region)
		must(t, err)
		if _, err := local.Disks.Find(disk.SnapshotID(ami.Snapshot)); ingot.ErrorCode(err) != ingot.CodeNotFound {
			t.Errorf("the snapshot: %v, want it gone", err)
		}
	},
	"L1": func(t *testing.T) {
		s := start(t)
		const text = "The provided role does not exist or does not have sufficient permissions"
		s.must("PUT", "/CreateLifecyclePolicy", policy("before", obj{"executionRole": "whatever"})) // an account that knows no roles has any
		s.write(func(tx ingot.Tx) error {
			_, err := ingot.CreatePrincipal(t.Context(), tx, ingot.PrincipalName{Account: account, Kind: ingot.PrincipalRole, Name: "lifecycle"}, nil, s.now())
			return err
		})
		linked := "arn:aws:iam::" + account + ":role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
		for _, unusable := range []string{
			"unknown", "arn:aws:iam::" + account + ":role/unknown", "arn:aws:iam::" + otherAccount + ":role/lifecycle", linked,
		} {
			s.refused(400, invalid, "PUT", "/CreateLifecyclePolicy", policy("demo", obj{"executionRole": unusable}), text, "'executionRole'")
			in := policy("", obj{"name": nil, "lifecyclePolicyArn": own + "lifecycle-policy/before", "executionRole": unusable})
			s.refused(400, invalid, "PUT", "/UpdateLifecyclePolicy", in, text)
			arn := s.putOwnImage(fmt.Sprint(len(unusable)), "AVAILABLE", "AMI")
			s.refused(400, invalid, "PUT", "/StartResourceStateUpdate",
				stateUpdate(arn, "DISABLED", obj{"includeResources": obj{"amis": true}, "executionRole": unusable}), text)
		}
		for n, usable := range []string{"lifecycle", role, "arn:aws:iam::" + account + ":role/service-role/lifecycle"} {
			s.must("PUT", "/CreateLifecyclePolicy", policy(fmt.Sprint("demo-", n), obj{"executionRole": usable}))
		}
	},
	"L3": func(t *testing.T) {
		k := newKeeper(t)
		for n := range 5 {
			k.putImage("1.0.0", n+1, "AVAILABLE", time.Duration(10-n)*time.Hour, nil)
		}
		k.putImage("1.0.0", 6, "FAILED", time.Hour, nil)
		k.putImage("1.1.0", 1, "AVAILABLE", 9*time.Hour, nil)
		k.putImage("1.1.0", 2, "AVAILABLE", 8*time.Hour, nil)
		arn, _ := k.must("PUT", "/CreateLifecyclePolicy", policy("demo", nil))["lifecyclePolicyArn"].(string) // COUNT 2 DELETE on demo 1.x.x
		k.settle(24 * time.Hour)
		want := []string{own + "image/demo/1.0.0/4", own + "image/demo/1.0.0/5", own + "image/demo/1.1.0/1", own + "image/demo/1.1.0/2"}
		if diff := cmp.Diff(want, k.builds()); diff != "" {
			t.Errorf("builds after the run (-want +got):\n%s", diff)
		}
		e, rows := k.execution(arn)
		if dig(e, "state", "status") != "SUCCESS" || dig(e, "lifecyclePolicyArn") != arn || len(rows.([]any)) != 4 {
			t.Errorf("the execution is %v with %v", e, rows)
		}
		if p := k.getPolicy(arn); p["dateLastRun"] != dig(e, "startTime") || p["dateLastRun"] == nil {
			t.Errorf("dateLastRun = %v, want the start of the execution", p["dateLastRun"])
		}
	},
	"L4": func(t *testing.T) {
		k := newKeeper(t)
		old, excluded := k.putImage("1.0.0", 1, "AVAILABLE", 9*time.Hour, map[string]string{"keep": "yes"})
		plain, _ := k.putImage("1.0.0", 2, "AVAILABLE", 8*time.Hour, map[string]string{"keep": "no"})
		k.putImage("1.0.0", 3, "AVAILABLE", 7*time.Hour, nil)
		r := rule("DELETE", "COUNT", obj{"value": 1.0})
		r = with(with(r, "includeResources", obj{"amis": true, "snapshots": true}), "exclusionRules", obj{"amis": obj{"tagMap": obj{"keep": "yes"}}})
		arn, _ := k.must("PUT", "/CreateLifecyclePolicy", policy("demo", obj{"policyDetails": []any{r}}))["lifecyclePolicyArn"].(string)
		k.settle(24 * time.Hour)
		e, rows := k.execution(arn)
		if dig(e, "state", "status") != "SUCCESS" || dig(rows, 0, "resourceId") != old || dig(rows, 0, "state", "status") != "SKIPPED" || dig(rows, 1, "resourceId") != plain || dig(rows, 1, "state", "status") != "SUCCESS" {
			t.Errorf("the execution is %v with %v", e, rows)
		}
		output := dig(k.must("POST", "/ListLifecycleExecutionResources", obj{"lifecycleExecutionId": dig(e, "lifecycleExecutionId"), "parentResourceId": old}), "resources", 0)
		if dig(output, "resourceId") != excluded.ID || dig(output, "state", "status") != "SKIPPED" || dig(output, "state", "reason") == nil {
			t.Errorf("the excluded AMI's row is %v", output)
		}
		if diff := cmp.Diff([]string{old, own + "image/demo/1.0.0/3"}, k.builds()); diff != "" {
			t.Errorf("builds after the run (-want +got):\n%s", diff)
		}
		if _, err := k.Store.FindAMI(t.Context(), excluded.Scope, excluded.ID); err != nil {
			t.Errorf("the excluded AMI: %v", err)
		}
	},
}

// disabledAndBack is LC-12, and that nothing is built on what is disabled.
func disabledAndBack(t *testing.T) {
	k := newKeeper(t)
	arn, ami := k.putImage("1.0.0", 1, "AVAILABLE", time.Hour, nil)
	state := func() ingot.AMI {
		got, err := k.Store.FindAMI(t.Context(), ami.Scope, ami.ID)
		must(t, err)
		return got
	}
	steps := []struct {
		to, tag          string
		launches, shared bool
	}{{"DEPRECATED", "EC2 Image Builder", true, true}, {"DISABLED", "", false, false}, {"AVAILABLE", "", true, false}}
	for _, c := range steps {
		k.must("PUT", "/StartResourceStateUpdate", stateUpdate(arn, c.to, withAMIs))
		k.settle(time.Minute)
		got := state()
		if dig(k.getImage(arn), "state", "status") != c.to || (got.CheckLaunch() == nil) != c.launches || got.UsableBy(otherAccount) != c.shared || got.Tags["DeprecatedBy"] != c.tag {
			t.Errorf("after %s the AMI is %+v, and the image %v", c.to, got, k.getImage(arn)["state"])
		}
		for name, parent := range map[string]string{"ami": ami.ID, "arn": own + "image/demo/1.0.0/1"} {
			a := k.call("PUT", "/CreateImageRecipe", obj{"name": "on-" + c.to + name, "semanticVersion": "1.0.0", "parentImage": parent})
			if c.to == "DISABLED" && a.Status == 200 || c.to == "AVAILABLE" && a.Status != 200 {
				t.Errorf("a recipe on the %s of an image that is %s: %d %s", name, c.to, a.Status, a.message())
			}
		}
	}
}
