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

// settings are what both the options of run and its configuration file may
// say; an option wins.
type settings struct {
	Phases                string `json:"phases"`
	ExecutionID           string `json:"executionId"`
	LogDirectory          string `json:"logDirectory"`
	StateDirectory        string `json:"stateDirectory"`
	DocumentS3BucketOwner string `json:"documentS3BucketOwner"`
	LogS3BucketName       string `json:"logS3BucketName"`
	LogS3BucketOwner      string `json:"logS3BucketOwner"`
	LogS3KeyPrefix        string `json:"logS3KeyPrefix"`
	CWLogGroup            string `json:"cwLogGroup"`
	CWLogStream           string `json:"cwLogStream"`
	CWLogRegion           string `json:"cwLogRegion"`
	CWIgnoreFailures      bool   `json:"cwIgnoreFailures"`
	Trace                 bool   `json:"trace"`
}

// flags are the options of the settings.
func (s *settings) flags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	flags.StringVarP(&s.Phases, "phases", "p", "", "comma-separated `list` of phases (default all)")
	flags.StringVarP(&s.ExecutionID, "execution-id", "i", "", "`id` of the run (default a UUID)")
	flags.StringVarP(&s.LogDirectory, "log-directory", "l", "", "`directory` of the log folder (default .)")
	flags.StringVarP(&s.StateDirectory, "state-directory", "s", "", "`directory` of what a run keeps over a reboot (default .state in the log directory)")
	documentOwnerFlag(flags, &s.DocumentS3BucketOwner)
	flags.StringVarP(&s.LogS3BucketName, "log-s3-bucket-name", "b", "", "`bucket` that the log folder is uploaded to at the end")
	flags.StringVar(&s.LogS3BucketOwner, "log-s3-bucket-owner", "", "`account` that must own that bucket")
	flags.StringVarP(&s.LogS3KeyPrefix, "log-s3-key-prefix", "k", "", "`prefix` of the keys of the uploaded files")
	flags.StringVar(&s.CWLogGroup, "cw-log-group", "", "log `group` that the console log is sent to")
	flags.StringVar(&s.CWLogStream, "cw-log-stream", "", "log `stream` in that group (default the id of the run)")
	flags.StringVar(&s.CWLogRegion, "cw-log-region", "", "`region` of the log group (default the machine's)")
	flags.BoolVar(&s.CWIgnoreFailures, "cw-ignore-failures", false, "do not fail because of the log stream")
	flags.BoolVarP(&s.Trace, "trace", "t", false, "print the console log on standard output, too")
	return flags
}

// warn tells of settings that have no effect alone.
func (s *settings) warn(w io.Writer) {
	if s.LogS3BucketName == "" && s.LogS3BucketOwner+s.LogS3KeyPrefix != "" {
		fmt.Fprintln(w, "the logs are not uploaded: --log-s3-bucket-name is missing")
	}
	if s.CWLogGroup == "" && s.CWLogStream+s.CWLogRegion != "" {
		fmt.Fprintln(w, "the console log is not sent: --cw-log-group is missing")
	}
}

func documentOwnerFlag(flags *pflag.FlagSet, owner *string) {
	flags.StringVar(owner, "document-s3-bucket-owner", "", "`account` that must own the buckets of documents")
}

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
// settings that no option of flags has given. Remarks go to warnings.
func (s *settings) readConfig(ctx context.Context, client *cloud.Client, path string, flags *pflag.FlagSet, warnings io.Writer) (toe.Request, error) {
	file, err := toe.ReadDocument(ctx, client, path, "")
	if err != nil {
		return toe.Request{}, fmt.Errorf("reading configuration: %w", err)
	}
	given := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			given[f.Name] = f.Value.String()
		}
	})
	config := configFile{settings: s}
	if err := config.decode(file.Data, path, warnings); err != nil {
		return toe.Request{}, fmt.Errorf("reading configuration %s: %w", path, err)
	}
	for name, value := range given {
		if err := flags.Set(name, value); err != nil {
			return toe.Request{}, fmt.Errorf("--%s: %w", name, err)
		}
	}
	req, err := config.request()
	if err != nil {
		return req, fmt.Errorf("configuration %s: %w", path, err)
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
