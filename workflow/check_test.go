package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

const (
	build        = model.WorkflowTypeBuild
	test         = model.WorkflowTypeTest
	distribution = model.WorkflowTypeDistribution
)

// full has every key of the language.
const full = `name: Everything
description: All keys
schemaVersion: 1.0
parameters:
  - name: retries
    type: integer
    default: 3
    description: how often
  - name: labels
    type: stringList
    default: [a, b]
  - name: keepUnsealed
    type: boolean
    default: false
  - name: notice
steps:
  - name: StartBuilder
    action: LaunchInstance
    inputs:
      waitFor: ssmAgent
      instanceTypesOverride.$: $.parameters.labels
  - name: Say_it
    action: RunCommand
    description: Speak
    if:
      and:
        - stringEquals: AMI
          value: $.imageBuilder.imageType
        - not:
            - booleanEquals: true
              value: $.parameters.keepUnsealed
        - or:
            - numberGreaterThan: 2
              value: $.parameters.retries
    onFailure: Continue
    rollbackEnabled: $.parameters.keepUnsealed
    timeoutSeconds: 600
    waitSeconds: 10
    retry:
      maxAttempts: 3
    inputs:
      instanceId.$: $.stepOutputs.StartBuilder.instanceId
      documentName: AWS-RunShellScript
      parameters:
        commands:
          - |
            echo {{ $.parameters.notice }} {{imagebuilder:buildDate}}
        executionTimeout.$: $.parameters.labels
  - name: Pause
    action: WaitForAction
    rollbackEnabled: false
    inputs:
      payload: '{"status": "{{ $.stepOutputs.Say_it.output[0] }}"}'
outputs:
  - name: InstanceId
    value: $.stepOutputs.StartBuilder.instanceId
`

func TestCheck(t *testing.T) {
	got, findings := workflow.Check([]byte(full), build)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	and := &workflow.Condition{Operator: workflow.And, Conditions: []workflow.Condition{
		{Operator: workflow.StringEquals, Operand: "AMI", Value: "$.imageBuilder.imageType"},
		{Operator: workflow.Not, Conditions: []workflow.Condition{
			{Operator: workflow.BooleanEquals, Operand: "true", Value: "$.parameters.keepUnsealed"},
		}},
		{Operator: workflow.Or, Conditions: []workflow.Condition{
			{Operator: workflow.NumberGreaterThan, Operand: "2", Value: "$.parameters.retries"},
		}},
	}}
	want := &workflow.Document{
		Name: "Everything", Description: "All keys",
		Parameters: []model.WorkflowParameterDetail{
			{Name: "retries", Type: "integer", DefaultValue: []string{"3"}, Description: "how often"},
			{Name: "labels", Type: "stringList", DefaultValue: []string{"a", "b"}},
			{Name: "keepUnsealed", Type: "boolean", DefaultValue: []string{"false"}},
			{Name: "notice", Type: "string"},
		},
		Steps: []workflow.Step{
			{
				Name: "StartBuilder", Action: workflow.FindAction("LaunchInstance"), OnFailure: "Abort", RollbackEnabled: "true",
				Timeout: 75 * time.Minute, Retry: workflow.Retry{MaxAttempts: 1},
				Inputs: map[string]any{"waitFor": "ssmAgent", "instanceTypesOverride.$": "$.parameters.labels"},
			},
			{
				Name: "Say_it", Action: workflow.FindAction("RunCommand"), Description: "Speak", If: and,
				OnFailure: "Continue", RollbackEnabled: "$.parameters.keepUnsealed",
				Timeout: 10 * time.Minute, Wait: 10 * time.Second, Retry: workflow.Retry{MaxAttempts: 3, Backoff: 30 * time.Second},
				Inputs: map[string]any{
					"instanceId.$": "$.stepOutputs.StartBuilder.instanceId", "documentName": "AWS-RunShellScript",
					"parameters": map[string]any{
						"commands":           []any{"echo {{ $.parameters.notice }} {{imagebuilder:buildDate}}\n"},
						"executionTimeout.$": "$.parameters.labels",
					},
				},
			},
			{
				Name: "Pause", Action: workflow.FindAction("WaitForAction"), OnFailure: "Abort", RollbackEnabled: "false",
				Timeout: 72 * time.Hour, Retry: workflow.Retry{MaxAttempts: 1},
				Inputs: map[string]any{"payload": `{"status": "{{ $.stepOutputs.Say_it.output[0] }}"}`},
			},
		},
		Outputs: []workflow.Output{{Name: "InstanceId", Value: "$.stepOutputs.StartBuilder.instanceId"}},
	}
	same := cmp.Comparer(func(a, b *workflow.Action) bool { return a == b })
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("the document (-want +got):\n%s", diff)
	}
}

// steps is a document with the steps.
func steps(list ...string) string {
	return "schemaVersion: 1.0\nsteps:\n" + strings.Join(list, "")
}

// step is a WaitForAction step with more keys.
func step(name string, more ...string) string {
	return "- name: " + name + "\n  action: WaitForAction\n" + strings.Join(more, "")
}

const launch = "- name: Launch\n  action: LaunchInstance\n  inputs: {waitFor: ssmAgent}\n"

func condition(text string) string { return steps(step("One", "  if: "+text+"\n")) }

func TestFaults(t *testing.T) {
	numbered := func(n int, f func(i int) string) (out []string) {
		for i := range n {
			out = append(out, f(i))
		}
		return out
	}
	parameters := func(text string) string { return "parameters: " + text + "\n" + steps(step("One")) }
	outputs := func(text string) string { return steps(step("One")) + "outputs: " + text + "\n" }
	nest := func(n int) string {
		return strings.Repeat("{not: ", n-1) + "{stringEquals: a, value: a}" + strings.Repeat("}", n-1)
	}
	comparisons := func(n int) string {
		return "{or: [" + strings.Join(numbered(n, func(int) string { return "{stringEquals: a, value: a}" }), ", ") + "]}"
	}
	for name, c := range map[string]struct {
		document string
		of       model.WorkflowType // default BUILD
		want     string             // empty: no fault
	}{
		"smallest":          {document: steps(step("One"))},
		"JSON":              {document: `{"schemaVersion": "1.0", "steps": [{"name": "One", "action": "WaitForAction"}]}`},
		"no YAML":           {document: "steps: [", want: "Unable to parse document"},
		"two documents":     {document: steps(step("One")) + "---\na: b\n", want: "a second YAML document is not allowed"},
		"list":              {document: "[]", want: "The document must be a mapping, not a list"},
		"unknown key":       {document: steps(step("One")) + "output: []\n", want: "5:1: output: Unknown field 'output' in the document; did you mean 'outputs'?"},
		"duplicate key":     {document: steps(step("One")) + "steps: []\n", want: "Duplicate key 'steps'"},
		"no version":        {document: "steps:\n" + step("One"), want: "Missing required field 'schemaVersion'"},
		"other version":     {document: strings.Replace(steps(step("One")), "1.0", "2.0", 1), want: "1:16: schemaVersion: Unsupported schemaVersion '2.0'; it must be 1.0"},
		"no steps":          {document: "schemaVersion: 1.0\n", want: "Missing required field 'steps'"},
		"empty steps":       {document: "schemaVersion: 1.0\nsteps: []\n", want: "at least one step"},
		"15 steps":          {document: steps(numbered(15, func(i int) string { return step(fmt.Sprint("Step", i)) })...)},
		"16 steps":          {document: steps(numbered(16, func(i int) string { return step(fmt.Sprint("Step", i)) })...), want: "has 16 steps; at most 15"}, // WF-2
		"too long":          {document: "# " + strings.Repeat("x", 64<<10) + "\n" + steps(step("One")), want: "more than 65536"},
		"expanding aliases": {document: "description: &d " + strings.Repeat("x", 5000) + "\n" + parameters("["+strings.Join(numbered(20, func(i int) string { return fmt.Sprintf("{name: p%d, description: *d}", i) }), ", ")+"]"), want: "expand the document to more than 65536 bytes"},

		"25 parameters":         {document: parameters("[" + strings.Join(numbered(25, func(i int) string { return fmt.Sprintf("{name: p%d}", i) }), ", ") + "]")},
		"26 parameters":         {document: parameters("[" + strings.Join(numbered(26, func(i int) string { return fmt.Sprintf("{name: p%d}", i) }), ", ") + "]"), want: "has 26 parameters; at most 25"},
		"parameter name":        {document: parameters("[{name: a b}]"), want: "parameters[0].name: Invalid parameter name 'a b'"},
		"parameter twice":       {document: parameters("[{name: a}, {name: a}]"), want: "parameters[1].name: Duplicate parameter name 'a'"},
		"parameter type":        {document: parameters("[{name: a, type: StringLists}]"), want: "not 'StringLists'; did you mean 'stringList'?"},
		"parameter of map type": {document: parameters("[{name: a, type: {}}]"), want: "parameters[0].type"},
		"integer default":       {document: parameters("[{name: a, type: integer, default: x}]"), want: "parameters[0].default: The default 'x' of parameter 'a' is not of the type integer"},
		"boolean default":       {document: parameters("[{name: a, type: boolean, default: yes}]"), want: "is not of the type boolean"},
		"list default":          {document: parameters("[{name: a, type: stringList, default: x}]"), want: "must be a list of strings"},
		"list as default":       {document: parameters("[{name: a, default: [x]}]"), want: "must be a string, not a list"},
		"empty list default":    {document: parameters("[{name: a, type: stringList, default: []}]")},
		"long default":          {document: parameters("[{name: a, default: " + strings.Repeat("x", 1025) + "}]"), want: "more than 1024 characters"},

		"26 outputs":             {document: outputs("[" + strings.Join(numbered(26, func(i int) string { return fmt.Sprintf("{name: p%d, value: x}", i) }), ", ") + "]"), want: "has 26 outputs; at most 25"},
		"output without value":   {document: outputs("[{name: a}]"), want: "Missing required field 'value' in output 'a'"},
		"output without name":    {document: outputs("[{value: a}]"), want: "Missing required field 'name'"},
		"output with empty name": {document: outputs("[{name: '', value: a}]"), want: "must not be empty"},
		"output twice":           {document: outputs("[{name: a, value: x}, {name: a, value: y}]"), want: "outputs[1].name: Duplicate output name 'a'"},
		"output path":            {document: outputs("[{name: a, value: $.stepOutputs.One.actoin}]"), want: "outputs[0].value: Invalid path '$.stepOutputs.One.actoin': the action WaitForAction has no output 'actoin'; did you mean 'action'?"},
		"output text":            {document: outputs("[{name: a, value: 'x {{ $.stepOutputs.Two.action }}'}]"), want: "no earlier step is called 'Two'"},

		"short step name":           {document: steps(step("ab")), want: "steps[0].name: Invalid step name 'ab'"},
		"step name with a digit":    {document: steps(step("1ab")), want: "start with a letter"},
		"step name with a hyphen":   {document: steps(step("a-b")), want: "Invalid step name 'a-b'"},
		"long step name":            {document: steps(step(strings.Repeat("a", 129))), want: "Invalid step name"},
		"step twice":                {document: steps(step("One"), step("One")), want: "5:9: steps[1].name: Duplicate step name 'One'"},
		"step that is a text":       {document: steps("- One\n"), want: "Step must be a mapping, not a scalar"},
		"step key":                  {document: steps(step("One", "  timeout: 5\n")), want: "Unknown field 'timeout' in step"},
		"empty description":         {document: steps(step("One", "  description: ''\n")), want: "must have 1 to 1024 characters, not 0"},
		"long description":          {document: steps(step("One", "  description: "+strings.Repeat("x", 1025)+"\n")), want: "must have 1 to 1024 characters, not 1025"},
		"no action":                 {document: steps("- name: One\n"), want: "Missing required field 'action' in step 'One'"},
		"unknown action":            {document: steps("- name: One\n  action: LaunchInstances\n"), want: "4:11: steps[0].action: Unknown action 'LaunchInstances' in step 'One'; did you mean 'LaunchInstance'?"},
		"action of another stage":   {document: steps("- name: One\n  action: ModifyImageAttributes\n  inputs: {distributedImages.$: $.stepOutputs.X.y}\n"), want: "The action ModifyImageAttributes of step 'One' is not for a BUILD workflow; it is for DISTRIBUTION"}, // WF-1
		"components in the last":    {document: steps(launch, "- name: Two\n  action: ExecuteComponents\n  inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}\n"), of: distribution, want: "is not for a DISTRIBUTION workflow; it is for BUILD, TEST"},
		"containers and images":     {document: steps(launch, "- name: Two\n  action: DistributeContainerImage\n  inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}\n", "- name: Three\n  action: DistributeImage\n"), of: distribution, want: "steps[2]: Step 'Three': a document with the action DistributeContainerImage cannot also have DistributeImage"},
		"onFailure":                 {document: steps(step("One", "  onFailure: continue\n")), want: "must be Abort or Continue, not 'continue'; did you mean 'Continue'?"},
		"rollback":                  {document: steps(step("One", "  rollbackEnabled: maybe\n")), want: "must be true, false or a path, not 'maybe'"},
		"rollback path":             {document: steps(step("One"), step("Two", "  rollbackEnabled: $.stepOutputs.One.action\n")), want: "must be a boolean; '$.stepOutputs.One.action' is a string"},
		"timeout at its maximum":    {document: steps(launch, "- name: Two\n  action: WaitForSSMAgent\n  timeoutSeconds: 10800\n  inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}\n")},
		"timeout above its maximum": {document: steps(launch, "- name: Two\n  action: WaitForSSMAgent\n  timeoutSeconds: 10801\n  inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}\n"), want: "steps[1].timeoutSeconds: Field 'timeoutSeconds' in step 'Two' must be an integer from 1 to 10800, not '10801'"}, // WF-2
		"timeout of zero":           {document: steps(step("One", "  timeoutSeconds: 0\n")), want: "from 1 to"},
		"wait as the timeout":       {document: steps(step("One", "  timeoutSeconds: 5\n  waitSeconds: 5\n")), want: "must be less than its timeout of 5 seconds"},
		"negative wait":             {document: steps(step("One", "  waitSeconds: -1\n")), want: "from 0 to"},
		"huge wait":                 {document: steps(step("One", "  waitSeconds: 9223372036854775807\n")), want: "'waitSeconds'"},
		"no attempts":               {document: steps(step("One", "  retry: {backoffSeconds: 1}\n")), want: "Missing required field 'maxAttempts'"},
		"eleven attempts":           {document: steps(step("One", "  retry: {maxAttempts: 11}\n")), want: "from 1 to 10, not '11'"},
		"long backoff":              {document: steps(step("One", "  retry: {maxAttempts: 2, backoffSeconds: 601}\n")), want: "from 0 to 600"},

		"four levels":            {document: condition(nest(4))},
		"five levels":            {document: condition(nest(5)), want: "nested deeper than 4 levels"}, // WF-6
		"ten branches":           {document: condition(comparisons(10))},
		"eleven branches":        {document: condition(comparisons(11)), want: "'or' takes a list of 1 to 10 conditions"},                                         // WF-6
		"not with two":           {document: condition("{not: [{stringEquals: a, value: a}, {stringEquals: a, value: a}]}"), want: "there must be one condition"}, // WF-6
		"not with two operators": {document: condition("{not: {stringEquals: a, booleanEquals: true}}"), want: "there are two operators, 'stringEquals' and 'booleanEquals'"},
		"condition in a list":    {document: condition("[{stringEquals: a, value: a}]")},
		"two conditions":         {document: condition("[{stringEquals: a, value: a}, {stringEquals: a, value: a}]"), want: "there must be one condition"},
		"unknown operator":       {document: condition("{stringEqual: a, value: a}"), want: "there is no operator 'stringEqual'; did you mean 'stringEquals'?"},
		"no operator":            {document: condition("{value: a}"), want: "there is no operator, such as"},
		"no value":               {document: condition("{stringEquals: a}"), want: "'stringEquals' needs a second key 'value'"},
		"third key":              {document: condition("{stringEquals: a, value: a, then: b}"), want: "'then' does not belong to 'stringEquals'"},
		"value beside and":       {document: condition("{and: [{stringEquals: a, value: a}], value: b}"), want: "'value' does not belong to 'and'"},
		"no number":              {document: condition("{numberEquals: 1e3, value: 1}"), want: "'1e3' is not a number"},
		"numbers in quotes":      {document: condition("{numberLessThanEquals: '1', value: -2.5}")},
		"no boolean":             {document: condition("{booleanEquals: yes, value: true}"), want: "'yes' is not a boolean"},
		"list as operand":        {document: condition("{stringEquals: [a], value: a}"), want: "not a list"},
		"condition path":         {document: condition("{stringEquals: a, value: $.parameters.b}"), want: "the document has no parameter 'b'"},

		"root":              {document: condition("{stringEquals: a, value: $.parameter.b}"), want: "there is no '$.parameter'; did you mean 'parameters'?"},
		"root alone":        {document: condition("{stringEquals: a, value: $.imagebuilder}"), want: "it needs a name after '$.imagebuilder'"},
		"variable":          {document: condition("{stringEquals: a, value: $.imagebuilder.plattform}"), want: "there is no variable 'plattform'; did you mean 'platform'?"},
		"spelling":          {document: condition("{stringEquals: a, value: $.imageBuilder.Platform}")},
		"workflow output":   {document: condition("{stringEquals: a, value: $.workflowOutputs.any_thing}")},
		"own step":          {document: condition("{stringEquals: a, value: $.stepOutputs.One.action}"), want: "no earlier step is called 'One'"},
		"step alone":        {document: steps(step("One"), step("Two", "  if: {stringEquals: a, value: $.stepOutputs.One}\n")), want: "it needs the name of an output"},
		"filter":            {document: condition("{stringEquals: a, value: '$.imagebuilder.s3Logs[*]'}"), want: "Invalid path '$.imagebuilder.s3Logs[*]': after '$.imagebuilder.s3Logs' it has '[*]'"},
		"recursive descent": {document: condition("{stringEquals: a, value: $..platform}"), want: "Invalid path"},
		"parameter letters": {document: "parameters: [{name: Level}]\n" + condition("{stringEquals: a, value: $.parameters.level}"), want: "no parameter 'level'; did you mean 'Level'?"},

		"missing input":        {document: steps("- name: One\n  action: CreateImage\n"), want: "3:3: steps[0].inputs.instanceId: Missing required input 'instanceId' of action CreateImage in step 'One'"},
		"input that is null":   {document: steps("- name: One\n  action: LaunchInstance\n  inputs: {waitFor: }\n"), want: "Missing required input 'waitFor'"},
		"unknown input":        {document: steps(step("One", "  inputs: {snsTopic: x}\n")), want: "steps[0].inputs.snsTopic: Unknown input 'snsTopic' of action WaitForAction in step 'One'; did you mean 'snsTopicArn'?"},
		"inputs in a list":     {document: steps(step("One", "  inputs: []\n")), want: "must be a mapping, not a list"},
		"both forms":           {document: steps(step("One", "  inputs: {payload: '1', payload.$: $.imagebuilder.imageName}\n")), want: "have both 'payload' and 'payload.$'; keep one"},
		"literal with suffix":  {document: steps(step("One", "  inputs: {payload.$: '{}'}\n"))},
		"mapping with suffix":  {document: steps(step("One", "  inputs: {payload.$: {a: b}}\n")), want: "must be a path such as"},
		"value of no enum":     {document: steps("- name: One\n  action: LaunchInstance\n  inputs: {waitFor: ssmagent}\n"), want: "must be one of ssmAgent, not 'ssmagent'; did you mean 'ssmAgent'?"},
		"path without suffix":  {document: steps(launch, "- name: Two\n  action: CreateImage\n  inputs: {instanceId: $.stepOutputs.Launch.instanceId}\n"), want: "; to use the value of a path, write 'instanceId.$'"},
		"braces need no check": {document: steps(launch, "- name: Two\n  action: CreateImage\n  inputs: {instanceId: '{{$.stepOutputs.Launch.instanceId}}'}\n")},
		"bad braces":           {document: steps(step("One", "  inputs: {lambdaFunctionName: 'a{{ $.parameters.x }}'}\n")), want: "no parameter 'x'"},
		"no JSON":              {document: steps(step("One", "  inputs: {payload: 'x'}\n")), want: "must be a text of JSON"},
		"JSON unquoted":        {document: steps(step("One", "  inputs: {payload: {a: b}}\n")), want: "must be a string, not a mapping; put a text"},
		"long payload":         {document: steps(step("One", "  inputs: {payload: '"+`"`+strings.Repeat("x", 16<<10)+`"`+"'}\n")), want: "more than 16384 bytes"},
		"no ARN":               {document: steps(step("One", "  inputs: {snsTopicArn: topic}\n")), want: "must match"},
		"list for a text":      {document: "parameters: [{name: l, type: stringList}]\n" + steps(step("One", "  inputs: {payload.$: $.parameters.l}\n")), want: "takes a string; '$.parameters.l' is a list of strings"},
		"no integer":           {document: steps("- name: One\n  action: RegisterImage\n  inputs: {blockDeviceMapping: [{Ebs: {VolumeSize: big}}]}\n"), want: "steps[0].inputs.blockDeviceMapping[0].Ebs.VolumeSize: Input 'VolumeSize' in step 'One' must be an integer, not 'big'"},
		"deep suffix":          {document: steps("- name: One\n  action: RegisterImage\n  inputs: {blockDeviceMapping: [{DeviceName: /dev/sda1, Ebs: {SnapshotId.$: $.workflowOutputs.snapshot}}]}\n")},
		"no boolean input":     {document: steps(launch, "- name: Two\n  action: TerminateInstance\n  inputs: {instanceId.$: $.stepOutputs.Launch.instanceId, waitForTermination: 1}\n"), want: "must be true or false, not '1'"},
		"command in no list":   {document: steps(launch, "- name: Two\n  action: RunCommand\n  inputs: {instanceId.$: $.stepOutputs.Launch.instanceId, documentName: d, parameters: {commands: ls}}\n"), want: "must be a list of strings, not a scalar"},
		"images by value":      {document: steps("- name: One\n  action: ModifyImageAttributes\n  inputs: {distributedImages: []}\n"), of: distribution, want: "must be a path; write 'distributedImages.$"},
		"images of workflow":   {document: steps("- name: One\n  action: ModifyImageAttributes\n  inputs: {distributedImages.$: $.workflowOutputs.x}\n"), of: distribution, want: "must be a path that starts with '$.stepOutputs.'"},
		"region is missing":    {document: steps("- name: One\n  action: DistributeImage\n  inputs: {distributions: [{name: x}]}\n"), of: distribution, want: "steps[0].inputs.distributions[0].region: Missing required input 'region'"},
		"region by path":       {document: "parameters: [{name: r}]\n" + steps("- name: One\n  action: DistributeImage\n  inputs: {distributions: [{region.$: $.parameters.r, amiTags: {a: b}}]}\n"), of: distribution},
	} {
		t.Run(name, func(t *testing.T) {
			if c.of == "" {
				c.of = build
			}
			document, findings := workflow.Check([]byte(c.document), c.of)
			err := findings.Err()
			switch {
			case (document == nil) != (err != nil):
				t.Errorf("document %v with the faults %v", document, err)
			case c.want == "" && err != nil:
				t.Errorf("faults of a good document:\n%v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("faults:\n%v\nwant %q", err, c.want)
			}
		})
	}
}

// All faults are found at once, in document order.
func TestAllFaults(t *testing.T) {
	_, findings := workflow.Check([]byte("schemaVersion: 3\nstep: []\nsteps:\n- name: x\n  action: Y\n"), test)
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Path))
	}
	want := []string{"1:16 schemaVersion", "2:1 step", "4:9 steps[0].name", "5:11 steps[0].action"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

// A path where a literal is taken is probably not meant so.
func TestWarning(t *testing.T) {
	document, findings := workflow.Check([]byte(steps(step("One", "  inputs: {lambdaFunctionName: $.parameters.x}\n"))), build)
	if document == nil || len(findings.Warnings()) != 1 {
		t.Errorf("findings = %v, want one warning", findings)
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		full, condition("{not: [{and: [{stringEquals: a, value: $.imagebuilder.platform}]}]}"), steps(launch),
		"parameters: &p [{name: a, type: stringList, default: [x]}]\nsteps: *p\n",
		steps("- name: One\n  action: ApplyImageConfigurations\n  inputs: {distributedImages.$: $.stepOutputs.A.b, configurations: [{region: x, s3ExportConfiguration: {roleName: r}}]}\n"),
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(2))
	}
	types := []model.WorkflowType{build, test, distribution}
	f.Fuzz(func(t *testing.T, data []byte, of uint8) {
		document, findings := workflow.Check(data, types[int(of)%len(types)])
		if (document == nil) != (findings.Err() != nil) {
			t.Fatalf("document %v with the faults %v", document, findings)
		}
		for _, finding := range findings {
			if finding.Line < 1 || finding.Column < 1 {
				t.Errorf("%v has no place", finding)
			}
		}
		if document == nil {
			return
		}
		for _, s := range document.Steps {
			if s.Action == nil || s.Timeout <= 0 || s.Timeout > s.Action.Maximum || s.Wait >= s.Timeout {
				t.Errorf("step %+v of a good document", s)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	b.SetBytes(int64(len(full)))
	for b.Loop() {
		workflow.Check([]byte(full), build)
	}
}
