package command

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe"
)

// configFile is the configuration file of run (§11.3).
type configFile struct {
	Documents []struct {
		Path       string      `json:"path"`
		Parameters []parameter `json:"parameters"`
	} `json:"documents"`
	Parameters     []parameter `json:"parameters"`
	Phases         string      `json:"phases"`
	ExecutionID    string      `json:"executionId"`
	LogDirectory   string      `json:"logDirectory"`
	StateDirectory string      `json:"stateDirectory"`
	Trace          bool        `json:"trace"`
}

type parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// configNotBuilt are the keys that stand for the options of notBuilt. An
// empty value asks for nothing.
var configNotBuilt = []string{
	"documentS3BucketOwner", "logS3BucketName", "logS3BucketOwner", "logS3KeyPrefix",
	"cwLogGroup", "cwLogStream", "cwLogRegion", "cwIgnoreFailures",
}

// readConfig reads the configuration file into a request.
func (f *runFlags) readConfig(req *toe.Request, warnings io.Writer) error {
	path := f.config
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	var c configFile
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("reading configuration %s: %w", path, err)
	}
	if err := checkConfigKeys(path, data, warnings); err != nil {
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

func parameterMap(list []parameter) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		out[p.Name] = p.Value
	}
	return out
}

// checkConfigKeys refuses keys of what is not built and warns of unknown ones.
func checkConfigKeys(path string, data []byte, warnings io.Writer) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("reading configuration %s: %w", path, err)
	}
	known := []string{"documents", "parameters", "phases", "executionId", "logDirectory", "stateDirectory", "trace"}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value := string(keys[key])
		switch {
		case slices.Contains(configNotBuilt, key):
			if value != `""` && value != "null" && value != "false" {
				return fmt.Errorf("configuration %s: %s: S3 and log streams are not built into this version yet; leave it out", path, key)
			}
		case !slices.Contains(known, key):
			fmt.Fprintf(warnings, "configuration %s: unknown key %q is ignored%s\n", path, key, yamldoc.DidYouMean(key, known))
		}
	}
	return nil
}
