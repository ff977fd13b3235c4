package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/pflag"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud"
)

// configFile is the configuration file of run (§11.3).
type configFile struct {
	*settings
	Documents []struct {
		Path       string      `json:"path"`
		Parameters []parameter `json:"parameters"`
	} `json:"documents"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// readConfig reads the configuration file into a request, and into the
// settings that no option has given. Remarks go to warnings.
func (f *runFlags) readConfig(ctx context.Context, client *cloud.Client, warnings io.Writer) (toe.Request, error) {
	file, err := toe.ReadDocument(ctx, client, f.config, "")
	if err != nil {
		return toe.Request{}, fmt.Errorf("reading configuration: %w", err)
	}
	given := map[string]string{}
	f.settingFlags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed {
			given[flag.Name] = flag.Value.String()
		}
	})
	config := configFile{settings: &f.settings}
	if err := config.decode(file.Data, f.config, warnings); err != nil {
		return toe.Request{}, fmt.Errorf("reading configuration %s: %w", f.config, err)
	}
	for name, value := range given {
		if err := f.settingFlags.Set(name, value); err != nil {
			return toe.Request{}, fmt.Errorf("--%s: %w", name, err)
		}
	}
	req, err := config.request()
	if err != nil {
		return req, fmt.Errorf("configuration %s: %w", f.config, err)
	}
	return req, nil
}

// decode reads the keys that are spelt as they should be.
func (c *configFile) decode(data []byte, path string, warnings io.Writer) error {
	var keys, known map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	empty, err := json.Marshal(configFile{settings: &settings{}})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(empty, &known); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if _, ok := known[key]; !ok {
			fmt.Fprintf(warnings, "configuration %s: unknown key %q is ignored%s\n", path, key, yamldoc.DidYouMean(key, slices.Sorted(maps.Keys(known))))
			delete(keys, key)
		}
	}
	filtered, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return json.Unmarshal(filtered, c)
}

// request is the part of the file that no setting is.
func (c *configFile) request() (toe.Request, error) {
	var req toe.Request
	if len(c.Documents) == 0 {
		return req, errors.New("documents needs at least one entry")
	}
	for i, d := range c.Documents {
		if d.Path == "" {
			return req, fmt.Errorf("documents[%d]: path is missing", i)
		}
		parameters, err := parameterMap(d.Parameters)
		if err != nil {
			return req, fmt.Errorf("documents[%d].%w", i, err)
		}
		req.Documents = append(req.Documents, toe.Source{Path: d.Path, Parameters: parameters})
	}
	var err error
	req.Parameters, err = parameterMap(c.Parameters)
	return req, err
}

func parameterMap(list []parameter) (map[string]string, error) {
	out := map[string]string{}
	for i, p := range list {
		if p.Name == "" {
			return nil, fmt.Errorf("parameters[%d]: name is missing", i)
		}
		if _, twice := out[p.Name]; twice {
			return nil, fmt.Errorf("parameters[%d]: %s is given twice", i, p.Name)
		}
		out[p.Name] = p.Value
	}
	return out, nil
}
