package api_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"ingot.dev/ingot/toe"
)

// script is an ImportComponent request with changes; nil takes a member out.
func script(data string, changes obj) obj {
	in := obj{"name": "demo", "semanticVersion": "1.0.0", "type": "TEST", "format": "SHELL", "platform": "Linux", "data": data}
	maps.Copy(in, changes)
	maps.DeleteFunc(in, func(_ string, v any) bool { return v == nil })
	return in
}

func TestImportComponent(t *testing.T) { // C10, IE-8
	s := start(t)
	made := s.must("PUT", "/ImportComponent", script("set -e\necho hello\nexit 3\n", obj{
		"description": "d", "changeDescription": "c", "kmsKeyId": "alias/key", "tags": obj{"a": "b"}, "clientToken": "t",
	}))
	arn := own + "component/demo/1.0.0/1"
	if made["componentBuildVersionArn"] != arn || made["clientToken"] != "t" || made["requestId"] == nil || len(made) != 3 {
		t.Errorf("ImportComponent = %v", made)
	}
	c := s.getComponent(arn)
	const document = `schemaVersion: 1.0
phases:
    - name: test
      steps:
        - name: RunImportedScript
          action: ExecuteBash
          onFailure: Abort
          inputs:
            commands:
                - |
                  set -e
                  echo hello
                  exit 3
`
	if c["data"] != document {
		t.Errorf("the document is\n%s", c["data"])
	}
	for member, want := range map[string]any{
		"type": "TEST", "platform": "Linux", "description": "d", "changeDescription": "c", "kmsKeyId": "alias/key", "encrypted": true,
	} {
		if c[member] != want {
			t.Errorf("%s = %v, want %v", member, c[member], want)
		}
	}
	s.refused(400, exists, "PUT", "/ImportComponent", script("set -e\necho hello\nexit 3\n", obj{
		"description": "d", "changeDescription": "c", "kmsKeyId": "alias/key",
	}), arn)
	again := s.must("PUT", "/ImportComponent", script("true", obj{"type": "BUILD"}))
	if c := s.getComponent(again["componentBuildVersionArn"].(string)); c["arn"] != own+"component/demo/1.0.0/2" || c["type"] != "BUILD" {
		t.Errorf("the second build is %v", c)
	}
	windows := s.must("PUT", "/ImportComponent", script("Write-Host 'x'", obj{"name": "win", "platform": "Windows"}))
	if c := s.getComponent(windows["componentBuildVersionArn"].(string)); !strings.Contains(c["data"].(string), "ExecutePowerShell") {
		t.Errorf("the component for Windows is %v", c)
	}
}

func TestImportComponentRefusals(t *testing.T) { // IE-9
	s := start(t)
	const version = "InvalidVersionNumberException"
	for name, c := range map[string]struct {
		in        obj
		exception string
		part      string
	}{
		"data too long":   {script(strings.Repeat("x", 1025), nil), invalid, "'data'"},
		"data and uri":    {script("true", obj{"uri": "s3://bucket/key"}), combination, "'uri'"},
		"neither":         {script("", obj{"data": nil}), combination, "'uri'"},
		"a wildcard":      {script("true", obj{"semanticVersion": "1.0.x"}), version, "1.0.x"},
		"a large version": {script("true", obj{"semanticVersion": "1.0.1073741824"}), version, "1073741824"},
		"another format":  {script("true", obj{"format": "YAML"}), invalid, "'format'"},
		"no type":         {script("true", obj{"type": nil}), "InvalidParameterException", "'type'"},
		"no object store": {script("", obj{"data": nil, "uri": "s3://bucket/key"}), invalid, "'uri'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			s.refused(400, c.exception, "PUT", "/ImportComponent", c.in, c.part)
		})
	}
}

func TestImportedScriptsRun(t *testing.T) { // IE-8, IE-10
	s := start(t)
	for name, c := range map[string]struct {
		script string
		want   []string // the last lines of its output; it ends with 7
	}{
		"no interpreter":      {"x=1\n[[ $x == 1 ]] && echo bash\nexit 7", []string{"bash"}},
		"bash":                {"#!/bin/bash\necho $((40 + 2))\nexit 7\n", []string{"42"}},
		"bash by env":         {"#!/usr/bin/env bash\necho $((40 + 2))\nexit 7\n", []string{"42"}},
		"bash with an option": {"#!/bin/bash -u\necho \"$-\" | tr -cd u\nexit 7\n", []string{"u"}},
		"perl":                {"#!/usr/bin/perl\nprint 6 * 7, qq(\\n);\nexit 7;\n", []string{"42"}},
		"with its delimiter":  {"#!/usr/bin/perl\nprint qq(END_OF_SCRIPT\\n);\nexit 7", []string{"END_OF_SCRIPT"}},
		"braces":              {"echo '{{ Undeclared }} {{.State}} {{{ a }}}'\nexit 7", []string{"{{ Undeclared }} {{.State}} {{{ a }}}"}},
		"odd spaces":          {"  echo '  a\tb  '  \n\n\n(exit 7)", []string{"  a\tb  "}},
	} {
		t.Run(name, func(t *testing.T) {
			in := script(c.script, obj{"name": strings.ReplaceAll(name, " ", "-")})
			arn := s.must("PUT", "/ImportComponent", in)["componentBuildVersionArn"].(string)
			dir, document := t.TempDir(), s.getComponent(arn)["data"].(string)
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			result, err := toe.Run(t.Context(), toe.Request{
				Documents: []toe.Source{{Path: arn, Data: []byte(document)}}, LogDirectory: filepath.Join(dir, "logs"), WorkingDirectory: dir,
			}, toe.Options{})
			if err != nil || result.Failure == nil || result.Failure.ExitCode == nil || *result.Failure.ExitCode != 7 {
				t.Fatalf("the run ended with %+v, %v; want exit code 7", result, err)
			}
			if diff := cmp.Diff(c.want, result.Failure.Tail); diff != "" {
				t.Errorf("the script printed (-want +got):\n%s", diff)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("the script left %v, %v", left, err)
			}
		})
	}
}

// TestImportedScriptIsVerbatim imports any text for Windows, where it gets no
// wrapping.
func TestImportedScriptIsVerbatim(t *testing.T) {
	s := start(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(1, 1024, -1), rapid.StringMatching(`([ \t\n{}#:'"|>-]|\r\n|a){1,60}`)).Draw(t, "script")
		answer := s.call("PUT", "/ImportComponent", script(text, obj{"platform": "Windows"}))
		if answer.exception() == exists {
			return // drawn before
		}
		arn, _ := answer.Body["componentBuildVersionArn"].(string)
		if answer.Status != 200 {
			t.Fatalf("ImportComponent = %d %s: %s", answer.Status, answer.exception(), answer.message())
		}
		var document struct {
			Constants []map[string]struct{ Value string }
			Phases    []struct {
				Steps []struct{ Inputs struct{ Commands []string } }
			}
		}
		if err := yaml.Unmarshal([]byte(s.getComponent(arn)["data"].(string)), &document); err != nil {
			t.Fatal(err)
		}
		got := document.Phases[0].Steps[0].Inputs.Commands[0]
		if len(document.Constants) > 0 {
			got = strings.ReplaceAll(got, "{{ Script }}", document.Constants[0]["Script"].Value)
		}
		if diff := cmp.Diff(text, got); diff != "" {
			t.Fatalf("the script became another (-want +got):\n%s", diff)
		}
	})
}
