package command

import (
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud"
)

// The configuration file says all that options say, and an option wins.
func TestSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TOE_REBOOT_HANDOFF", "1")
	const config = `{
		"documents": [{"path": "s3://b/doc.yml", "parameters": [{"name": "Abc", "value": "own"}]}],
		"parameters": [{"name": "Abc", "value": "global"}],
		"phases": "build, validate", "executionId": "id-1", "logDirectory": "/logs", "stateDirectory": "/state",
		"documentS3BucketOwner": "111111111111",
		"logS3BucketName": "bucket", "logS3BucketOwner": "222222222222", "logS3KeyPrefix": "prefix",
		"cwLogGroup": "group", "cwLogStream": "stream", "cwLogRegion": "region", "cwIgnoreFailures": true, "trace": true
	}`
	if err := os.WriteFile("config.json", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	want := toe.Request{
		ExecutionID:    "id-1",
		Documents:      []toe.Source{{Path: "s3://b/doc.yml", Parameters: map[string]string{"Abc": "own"}}},
		Parameters:     map[string]string{"Abc": "global"},
		Phases:         []string{"build", "validate"},
		LogDirectory:   "/logs",
		StateDirectory: "/state",
		HandOffReboot:  true,
		LogBucket:      &toe.LogBucket{Name: "bucket", Owner: "222222222222", KeyPrefix: "prefix"},
		LogStream:      &toe.LogStream{Group: "group", Stream: "stream", Region: "region", IgnoreFailures: true},
	}
	f := parseFlags(t, "-c", "config.json")
	compareRequests(t, f, want)
	if f.DocumentS3BucketOwner != "111111111111" || !f.Trace {
		t.Errorf("settings %+v, want owner and trace of the file", f.settings)
	}

	want.Phases, want.LogDirectory, want.LogBucket.KeyPrefix = []string{"test"}, "/other", ""
	want.LogStream.Region, want.LogStream.IgnoreFailures = "elsewhere", false
	f = parseFlags(t, "-c", "config.json", "-p", "test", "-l", "/other", "-k", "", "--cw-log-region=elsewhere", "--cw-ignore-failures=false", "--trace=false")
	compareRequests(t, f, want)
	if f.Trace {
		t.Error("--trace=false does not win over the file")
	}
}

func parseFlags(t *testing.T, args ...string) *runFlags {
	t.Helper()
	f := &runFlags{}
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.register(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func compareRequests(t *testing.T, f *runFlags, want toe.Request) {
	t.Helper()
	client := cloud.New(os.LookupEnv)
	defer client.Close()
	got, err := f.request(t.Context(), client, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}
