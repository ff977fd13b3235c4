package model

import (
	"encoding/json"
	"testing"
	"time"
)

func TestEpoch(t *testing.T) {
	for text, want := range map[string]string{
		`1767225600.5`:                `1767225600.5`,
		`1767225600`:                  `1767225600`,
		`"2026-01-01T00:00:00.500Z"`:  `1767225600.5`,
		`"2026-01-01T01:00:00+01:00"`: `1767225600`,
	} {
		var e Epoch
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Errorf("reading %s: %v", text, err)
			continue
		}
		if got, err := json.Marshal(e); err != nil || string(got) != want {
			t.Errorf("%s is written as %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{`"yesterday"`, `{}`, `true`} {
		var e Epoch
		if err := json.Unmarshal([]byte(text), &e); err == nil {
			t.Errorf("%s was read as %v", text, e)
		}
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	if got := EpochOf(at).Time(); !got.Equal(at) {
		t.Errorf("EpochOf(%v).Time() = %v", at, got)
	}
	if got := DateTime(at.In(time.FixedZone("", 3600))); got != "2026-02-03T04:05:06.789Z" {
		t.Errorf("DateTime = %s", got)
	}
}

// TestAbsentAndEmpty pins the conventions of the package comment.
func TestAbsentAndEmpty(t *testing.T) {
	for want, v := range map[string]any{
		`{}`:                          CreateImageRecipeRequest{},
		`{"components":[],"tags":{}}`: CreateImageRecipeRequest{Components: []ComponentConfiguration{}, Tags: map[string]string{}},
		`{"noDevice":""}`:             InstanceBlockDeviceMapping{NoDevice: new("")},
		`{"imageTestsEnabled":false}`: ImageTestsConfiguration{ImageTestsEnabled: new(false)},
		`{"tags":{}}`:                 ListTagsForResourceResponse{Tags: map[string]string{}},
		`{"timeoutMinutes":0}`:        DistributionConfiguration{},
		`{"deprecationTime":1.5}`:     Image{DeprecationTime: new(Epoch(1.5))},
		`{"status":"AVAILABLE"}`:      ImageState{Status: ImageStatusAvailable},
		`{"owner":"Amazon"}`:          ListComponentsRequest{Owner: OwnershipAmazon},
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("%#v = %s (%v), want %s", v, got, err, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Routes {
		if key := r.Method + " " + r.Path; seen[key] {
			t.Errorf("two operations at %s", key)
		} else {
			seen[key] = true
		}
		if r.Input == nil || r.Output == "" || len(r.Errors) == 0 {
			t.Errorf("%s is incomplete", r.Operation)
		}
		for _, e := range r.Errors {
			if Exceptions[e] == 0 {
				t.Errorf("%s: no status for %s", r.Operation, e)
			}
		}
		if token, ok := r.Input.Member("clientToken"); ok && token.Required {
			t.Errorf("%s demands a client token", r.Operation)
		}
	}
	if len(Routes) != 77 {
		t.Errorf("%d routes, want 77", len(Routes))
	}
}

func TestPatternPrefix(t *testing.T) {
	for key, want := range map[string]bool{"Name": true, "aws": true, "aws:x": false, "AWS:x": false, "xaws:": true, "": true} {
		if got := shapeTagKey.Pattern.Match(key); got != want {
			t.Errorf("tag key %q matches: %v, want %v", key, got, want)
		}
	}
}
