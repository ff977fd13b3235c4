package api_test

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// putWorkflowExecution stores an execution of a workflow for an image.
func (s *server) putWorkflowExecution(id, image string, kind model.WorkflowType, status model.WorkflowExecutionStatus) {
	s.t.Helper()
	err := s.Store.Write(s.t.Context(), func(tx ingot.Tx) error {
		return tx.PutWorkflowExecution(s.t.Context(), ingot.WorkflowExecution{GetWorkflowExecutionResponse: model.GetWorkflowExecutionResponse{
			WorkflowExecutionId: id, ImageBuildVersionArn: image, Type: kind, Status: status, StartTime: model.DateTime(s.now()),
		}})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

const (
	invalidRequest = "InvalidRequestException"
	notImplemented = "NotImplementedException"
)

func TestRetryImage(t *testing.T) { // G8
	s := start(t)
	type execution struct {
		kind   model.WorkflowType
		status model.WorkflowExecutionStatus
	}
	build, test := model.WorkflowTypeBuild, model.WorkflowTypeTest
	completed, failed := model.WorkflowExecutionStatusCompleted, model.WorkflowExecutionStatusFailed
	for build, c := range map[string]struct {
		state      model.ImageStatus
		kind       model.ImageType
		executions []execution
		status     int
		exception  string
	}{
		"1": {"FAILED", "AMI", []execution{{build, failed}, {test, model.WorkflowExecutionStatusSkipped}}, 400, invalidRequest},
		"2": {"AVAILABLE", "AMI", []execution{{build, completed}}, 400, invalidRequest},
		"3": {"FAILED", "DOCKER", []execution{{build, completed}}, 400, invalidRequest},
		"4": {"BUILDING", "AMI", nil, 400, "ResourceInUseException"},
		"5": {"DISTRIBUTING", "DOCKER", nil, 400, "ResourceInUseException"},
		"6": {"CANCELLED", "AMI", nil, 400, invalidRequest},
		"7": {"FAILED", "AMI", []execution{{build, completed}, {test, failed}}, 200, ""},
		"8": {"CANCELLED", "AMI", []execution{{build, completed}}, 200, ""},
		"9": {"FAILED", "AMI", []execution{{test, failed}}, 200, ""}, // it has no build workflow
	} {
		arn := s.putOwnImage(build, c.state, c.kind)
		for _, e := range c.executions {
			s.putWorkflowExecution("wf-"+build+string(e.kind), arn, e.kind, e.status)
		}
		if c.status != 200 {
			s.refused(c.status, c.exception, "PUT", "/RetryImage", obj{"imageBuildVersionArn": arn}, "")
			continue
		}
		if got := s.must("PUT", "/RetryImage", obj{"imageBuildVersionArn": arn}); got["imageBuildVersionArn"] != arn {
			t.Errorf("RetryImage of %s = %v", arn, got)
		}
	}
	s.refused(404, notFound, "PUT", "/RetryImage", obj{"imageBuildVersionArn": own + "image/demo/2.0.0/1"})
	s.refused(403, "ForbiddenException", "PUT", "/RetryImage", obj{"imageBuildVersionArn": managed + "image/demo/2.0.0/1"})
}

func TestDistributeImage(t *testing.T) { // the refusals; G17 is a test of the builder
	f := newFactory(t)
	ami := ingot.AMI{Scope: ingot.Scope{Account: account, Region: region}, ID: baseAMI, Snapshot: "snap-1"}
	must(t, f.Store.RegisterAMI(t.Context(), ami))
	configuration := f.must("PUT", "/CreateDistributionConfiguration", obj{"name": "dist", "distributions": []any{}})["distributionConfigurationArn"]
	available, box := f.putOwnImage("1", "AVAILABLE", "AMI"), own+"image/demo/1.0.0/2"
	f.putOwnImage("2", "AVAILABLE", "DOCKER")
	failed := f.putOwnImage("3", "FAILED", "AMI")
	for name, c := range map[string]struct {
		changes   obj
		status    int
		exception string
		part      string
	}{
		"an image without an AMI":  {obj{"sourceImage": available}, 404, notFound, "no AMI"},
		"a version":                {obj{"sourceImage": own + "image/demo/x.x.x"}, 400, invalidRequest, "container"},
		"a parameter":              {obj{"sourceImage": "ssm:/golden"}, 404, notFound, "/golden"},
		"no such AMI":              {obj{"sourceImage": "ami-00000000000000000"}, 404, notFound, "ami-00000000000000000"},
		"no such image":            {obj{"sourceImage": own + "image/demo/1.0.0/9"}, 404, notFound, "1.0.0/9"},
		"a failed image":           {obj{"sourceImage": failed}, 404, notFound, "1.0.0/3"},
		"a container image":        {obj{"sourceImage": box}, 400, invalidRequest, "container"},
		"a component":              {obj{"sourceImage": own + "component/demo/1.0.0"}, 400, invalid, "'sourceImage'"},
		"a name":                   {obj{"sourceImage": "golden"}, 400, invalid, "'sourceImage'"},
		"an empty parameter":       {obj{"sourceImage": "ssm:"}, 400, invalid, "'sourceImage'"},
		"no such configuration":    {obj{"distributionConfigurationArn": own + "distribution-configuration/none"}, 404, notFound, "none"},
		"no role":                  {obj{"executionRole": nil}, 400, "InvalidParameterException", "'executionRole'"},
		"a configuration far away": {obj{"distributionConfigurationArn": "arn:aws:imagebuilder:eu-west-1:" + account + ":distribution-configuration/dist"}, 404, notFound, "eu-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *f.server
			s.t = t
			in := obj{"sourceImage": baseAMI, "distributionConfigurationArn": configuration, "executionRole": role}
			maps.Copy(in, c.changes)
			s.refused(c.status, c.exception, "PUT", "/DistributeImage", in, c.part)
		})
	}
	if list := f.must("POST", "/ListImageBuildVersions", nil); len(list["imageSummaryList"].([]any)) != 3 {
		t.Errorf("a refused distribution left an image: %v", list)
	}
	got := f.must("PUT", "/DistributeImage", obj{"sourceImage": baseAMI, "distributionConfigurationArn": configuration, "executionRole": role})
	if arn, _ := got["imageBuildVersionArn"].(string); !strings.HasSuffix(arn, "/1.0.0/1") {
		t.Errorf("DistributeImage of an AMI = %v", got)
	}
}

func TestImportVMImage(t *testing.T) { // IE-4
	s := start(t)
	const task = "import-ami-0123456789abcdef0"
	tags := obj{}
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		tags[string(c)] = "x"
	}
	for name, c := range map[string]struct {
		changes   obj
		exception string
		part      string
	}{
		"valid":            {nil, notImplemented, "ingot base import"},
		"of Windows":       {obj{"platform": "Windows"}, notImplemented, ""},
		"no task id":       {obj{"vmImportTaskId": "import-ami-nope"}, "ClientException", "'vmImportTaskId'"},
		"a wildcard":       {obj{"semanticVersion": "1.x.x"}, "ClientException", "1.x.x"},
		"a large version":  {obj{"semanticVersion": "1.0.1073741824"}, "ClientException", "1073741824"},
		"macOS":            {obj{"platform": "macOS"}, "ClientException", "'platform'"},
		"no platform":      {obj{"platform": nil}, "ClientException", "'platform'"},
		"a name of dots":   {obj{"name": "a.b.c"}, "ClientException", "'name'"},
		"a short name":     {obj{"name": "ab"}, "ClientException", "'name'"},
		"another log":      {obj{"loggingConfiguration": obj{"logGroupName": "/mine"}}, "ClientException", "/mine"},
		"too many tags":    {obj{"tags": tags}, "ClientException", "tags"},
		"not a whole type": {obj{"name": 7}, "SerializationException", "'name'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			in := obj{"name": "demo", "semanticVersion": "1.0.0", "platform": "Linux", "vmImportTaskId": task}
			maps.Copy(in, c.changes)
			s.refused(statusOf(c.exception), c.exception, "PUT", "/ImportVmImage", in, c.part)
		})
	}
}

// statusOf is the status of an exception about a request.
func statusOf(exception string) int {
	if exception == notImplemented {
		return 501
	}
	return 400
}

func TestImportDiskImage(t *testing.T) { // IE-6, IE-7
	s := start(t)
	s.must("PUT", "/CreateInfrastructureConfiguration", obj{"name": "infra", "instanceProfileName": "profile"})
	uefi := base64.StdEncoding.EncodeToString([]byte("keys"))
	options := func(o obj) obj { return obj{"registerImageOptions": o} }
	for name, c := range map[string]struct {
		changes   obj
		exception string
		part      string
	}{
		"valid":                    {nil, notImplemented, "ISO"},
		"w11.iso":                  {obj{"uri": "s3://bucket/a/w11.iso"}, notImplemented, ""},
		"w11.Iso":                  {obj{"uri": "s3://bucket/w11.Iso"}, notImplemented, ""},
		"UEFI data":                {options(obj{"uefiData": uefi}), notImplemented, ""},
		"no secure boot":           {options(obj{"secureBootEnabled": false}), notImplemented, ""},
		"an edition":               {obj{"windowsConfiguration": obj{"imageIndex": 4294967295}}, notImplemented, ""},
		"Linux":                    {obj{"platform": "Linux"}, "ClientException", "'platform'"},
		"Windows 10":               {obj{"osVersion": "Microsoft Windows 10"}, "ClientException", "'osVersion'"},
		"win.img":                  {obj{"uri": "s3://bucket/win.img"}, "ClientException", "'uri'"},
		"w11.iSO":                  {obj{"uri": "s3://bucket/w11.iSO"}, "ClientException", "'uri'"},
		"by HTTP":                  {obj{"uri": "https://host/w11.iso"}, "ClientException", "'uri'"},
		"UEFI data, not secure":    {options(obj{"uefiData": uefi, "secureBootEnabled": false}), "ClientException", "uefiData"},
		"UEFI data, not Base64":    {options(obj{"uefiData": "*"}), "ClientException", "uefiData"},
		"edition 0":                {obj{"windowsConfiguration": obj{"imageIndex": 0}}, "ClientException", "windowsConfiguration.imageIndex"},
		"an object without member": {obj{"windowsConfiguration": obj{}}, "ClientException", "windowsConfiguration.imageIndex"},
		"a wildcard":               {obj{"semanticVersion": "1.0.x"}, "ClientException", "1.0.x"},
		"no such infrastructure":   {obj{"infrastructureConfigurationArn": own + "infrastructure-configuration/none"}, "ClientException", "none"},
		"another log":              {obj{"loggingConfiguration": obj{"logGroupName": "/mine"}}, "ClientException", "/mine"},
		"another log, with role":   {obj{"loggingConfiguration": obj{"logGroupName": "/mine"}, "executionRole": role}, notImplemented, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			in := obj{
				"name": "demo", "semanticVersion": "1.0.0", "platform": "Windows", "osVersion": "Microsoft Windows 11",
				"infrastructureConfigurationArn": own + "infrastructure-configuration/infra", "uri": "s3://bucket/w11.ISO",
			}
			maps.Copy(in, c.changes)
			s.refused(statusOf(c.exception), c.exception, "PUT", "/ImportDiskImage", in, c.part)
		})
	}
}
