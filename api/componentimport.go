package api

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// importComponent makes a component of a script. Source: import-export.md §4.
func (s *Server) importComponent(ctx context.Context, tx ingot.Tx, in *model.ImportComponentRequest) (*model.ImportComponentResponse, error) {
	c := &model.CreateComponentRequest{
		Name: in.Name, SemanticVersion: in.SemanticVersion, Description: in.Description, ChangeDescription: in.ChangeDescription,
		Platform: in.Platform, Data: in.Data, Uri: in.Uri, KmsKeyId: in.KmsKeyId, Tags: in.Tags,
	}
	if err := ingot.CheckComponentSource(c); err != nil {
		return nil, err
	}
	script, err := documentOf(ctx, in.Data)
	if err != nil {
		return nil, err
	}
	if c.Data, err = scriptDocument(script, in.Type, in.Platform); err != nil {
		return nil, err
	}
	made, err := s.storeComponent(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	return &model.ImportComponentResponse{ComponentBuildVersionArn: made.ComponentBuildVersionArn}, nil
}

// literal is text that stands in a document as it is, line by line.
type literal string

func (l literal) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.LiteralStyle, Value: string(l)}, nil
}

// scriptPhases are the phases of a document, as far as an import makes any.
type (
	scriptPhase struct {
		Name  string       `yaml:"name"`
		Steps []scriptStep `yaml:"steps"`
	}
	scriptStep struct {
		Name      string               `yaml:"name"`
		Action    string               `yaml:"action"`
		OnFailure string               `yaml:"onFailure"`
		Inputs    map[string][]literal `yaml:"inputs"`
	}
	scriptConstant struct {
		Type  string  `yaml:"type"`
		Value literal `yaml:"value"`
	}
)

// scriptDocument is the component document that runs a script as its one step.
func scriptDocument(script string, kind model.ComponentType, platform model.Platform) (string, error) {
	action := "ExecutePowerShell"
	if platform != model.PlatformWindows {
		action, script = "ExecuteBash", bashScript(script)
	}
	document := struct {
		SchemaVersion yaml.Node                   `yaml:"schemaVersion"`
		Constants     []map[string]scriptConstant `yaml:"constants,omitempty"`
		Phases        []scriptPhase               `yaml:"phases"`
	}{SchemaVersion: yaml.Node{Kind: yaml.ScalarNode, Value: "1.0"}}
	commands := literal(script)
	if strings.Contains(script, "{{") { // which is no expression of ours: values of constants are not looked into
		document.Constants = []map[string]scriptConstant{{"Script": {Type: "string", Value: commands}}}
		commands = "{{ Script }}"
	}
	document.Phases = []scriptPhase{{Name: strings.ToLower(string(kind)), Steps: []scriptStep{{
		Name: "RunImportedScript", Action: action, OnFailure: "Abort", Inputs: map[string][]literal{"commands": {commands}},
	}}}}
	data, err := yaml.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("making the document of a script: %w", err)
	}
	return string(data), nil
}

// bashLine is a first line that asks for what ExecuteBash does anyway.
var bashLine = regexp.MustCompile(`^#!\s*(/usr/bin/env\s+|(/\S*)?/)(ba)?sh\s*$`)

// bashScript is a script for bash that does what script does, whose first line
// may ask for another interpreter or for options.
func bashScript(script string) string {
	first, _, _ := strings.Cut(script, "\n")
	if !strings.HasPrefix(first, "#!") || bashLine.MatchString(first) {
		return script
	}
	end := "END_OF_SCRIPT"
	for strings.Contains(script, end) {
		end += "_"
	}
	return `file=$(mktemp) || exit
trap 'rm -f "$file"' EXIT
cat > "$file" << '` + end + `'
` + strings.TrimSuffix(script, "\n") + `
` + end + `
chmod +x "$file"
"$file"
`
}
