package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func filter(name string, values ...string) obj { return obj{"name": name, "values": values} }

func TestScanFindings(t *testing.T) { // SC-1, SC-3, SC-4 as far as findings go
	s := start(t)
	image := s.putOwnImage("1", "AVAILABLE", "AMI")
	for _, in := range []obj{
		{},
		{"filters": []obj{filter("imageBuildVersionArn", image)}},
		{"filters": []obj{filter("imagePipelineArn", own+"image-pipeline/demo")}, "maxResults": 25},
		{"filters": []obj{filter("vulnerabilityId", "CVE-2026-1")}},
		{"filters": []obj{filter("severity", "HIGH")}},
		{"filters": []obj{filter("severity", "High")}}, // matches none
	} {
		answer := s.must("POST", "/ListImageScanFindings", in)
		delete(answer, "requestId")
		if diff := cmp.Diff(obj{"findings": []any{}}, answer); diff != "" {
			t.Errorf("%v (-want +got):\n%s", in, diff)
		}
	}
	one := filter("severity", "HIGH")
	for _, c := range []struct {
		in        obj
		exception string
		part      string
	}{
		{obj{"filters": []obj{one, one}}, invalid, "filters"},
		{obj{"filters": []obj{filter("severity", "HIGH", "LOW")}}, invalid, "filters[0].values"},
		{obj{"filters": []obj{{"name": "severity"}}}, invalid, "filters[0].values"},
		{obj{"filters": []obj{filter("Severity", "HIGH")}}, "InvalidRequestException", "'Severity'"},
		{obj{"filters": []obj{filter("accountId", account)}}, "InvalidRequestException", "'accountId'"},
		{obj{"maxResults": 26}, invalid, "maxResults"},
		{obj{"nextToken": "AAAA"}, "InvalidPaginationTokenException", ""},
	} {
		s.refused(400, c.exception, "POST", "/ListImageScanFindings", c.in, c.part)
	}
}

func TestScanFindingAggregations(t *testing.T) { // SC-5
	s := start(t)
	image := s.putOwnImage("1", "AVAILABLE", "AMI")
	zeros := obj{"all": 0.0, "critical": 0.0, "high": 0.0, "medium": 0.0}
	accountRow := []any{obj{"accountAggregation": obj{"accountId": account, "severityCounts": zeros}}}
	imageRow := []any{obj{"imageAggregation": obj{"imageBuildVersionArn": image, "severityCounts": zeros}}}
	for _, c := range []struct {
		filter obj
		key    string
		rows   []any
	}{
		{nil, "accountId", accountRow},
		{obj{"name": "accountId"}, "accountId", accountRow},
		{filter("accountId", account, "999999999999", account), "accountId", accountRow},
		{filter("imageBuildVersionArn", own+"image/demo/1.0.0/2", image, "no ARN", own+"image/demo/1.0.0"), "imageBuildVersionArn", imageRow},
		{obj{"name": "imageBuildVersionArn"}, "imageBuildVersionArn", []any{}},
		{filter("imagePipelineArn", own+"image-pipeline/none"), "imagePipelineArn", []any{}},
		{filter("vulnerabilityId", "CVE-2026-1"), "vulnerabilityId", []any{}},
	} {
		in := obj{"filter": c.filter}
		if c.filter == nil {
			in = obj{}
		}
		answer := s.must("POST", "/ListImageScanFindingAggregations", in)
		delete(answer, "requestId")
		if diff := cmp.Diff(obj{"aggregationType": c.key, "responses": c.rows}, answer); diff != "" {
			t.Errorf("filter %v (-want +got):\n%s", c.filter, diff)
		}
	}
	s.refused(400, "InvalidRequestException", "POST", "/ListImageScanFindingAggregations", obj{"filter": filter("severity", "HIGH")}, "'severity'")
	s.refused(400, "InvalidPaginationTokenException", "POST", "/ListImageScanFindingAggregations", obj{"nextToken": "AAAA"})
}

func TestPipelineAggregation(t *testing.T) {
	f := newFactory(t)
	must(t, f.newPipeline())
	arn := own + "image-pipeline/nightly"
	answer := f.must("POST", "/ListImageScanFindingAggregations", obj{"filter": filter("imagePipelineArn", arn)})
	if dig(answer, "responses", 0, "imagePipelineAggregation", "imagePipelineArn") != arn {
		t.Errorf("the aggregation of a pipeline is %v", answer)
	}
}
