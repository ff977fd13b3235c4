package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"ingot.dev/ingot/toe"
)

// toeConfigFile is the configuration file of `toe run` (§11.3).
type toeConfigFile struct {
	Documents []struct {
		Path       string         `json:"path"`
		Parameters []toeParameter `json:"parameters"`
	} `json:"documents"`
	Parameters     []toeParameter `json:"parameters"`
	Phases         string         `json:"phases"`
	ExecutionID    string         `json:"executionId"`
	LogDirectory   string         `json:"logDirectory"`
	StateDirectory string         `json:"stateDirectory"`
	Trace          bool           `json:"trace"`
}

type toeParameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// toeConfigNotBuilt are the keys that stand for the options of toeNotBuilt. An
// empty value asks for nothing.
var toeConfigNotBuilt = []string{
	"documentS3BucketOwner", "logS3BucketName", "logS3BucketOwner", "logS3KeyPrefix",
	"cwLogGroup", "cwLogStream", "cwLogRegion", "cwIgnoreFailures",
}

// toeConfig reads the configuration file into a request.
func (a *app) toeConfig(f *toeFlags, req *toe.Request) error {
	path := f.config
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	var c toeConfigFile
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("reading configuration %s: %w", path, err)
	}
	if err := a.toeConfigKeys(path, data); err != nil {
		return err
	}
	if len(c.Documents) == 0 {
		return fmt.Errorf("configuration %s: documents needs at least one entry", path)
	}
	for _, d := range c.Documents {
		req.Documents = append(req.Documents, toe.Source{Path: d.Path, Parameters: parameterMap(d.Parameters)})
	}
	req.Parameters, req.Phases = parameterMap(c.Parameters), splitList(c.Phases)
	req.ExecutionID, req.LogDirectory, req.StateDirectory = c.ExecutionID, c.LogDirectory, c.StateDirectory
	f.trace = f.trace || c.Trace
	return nil
}

func parameterMap(list []toeParameter) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		out[p.Name] = p.Value
	}
	return out
}

// toeConfigKeys refuses keys of what is not built and warns of unknown ones.
func (a *app) toeConfigKeys(path string, data []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("reading configuration %s: %w", path, err)
	}
	known := []string{"documents", "parameters", "phases", "executionId", "logDirectory", "stateDirectory", "trace"}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value := string(keys[key])
		switch {
		case slices.Contains(toeConfigNotBuilt, key):
			if value != `""` && value != "null" && value != "false" {
				return fmt.Errorf("configuration %s: %s: S3 and log streams are not built into this version yet; leave it out", path, key)
			}
		case !slices.Contains(known, key):
			fmt.Fprintf(a.stderr, "ingot: configuration %s: unknown key %q is ignored\n", path, key)
		}
	}
	return nil
}
