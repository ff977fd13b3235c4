package command

import (
	"slices"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

// Configuration and document come from a bucket, the logs go to it and to a
// log stream.
func TestRunInTheCloud(t *testing.T) {
	server, fake := cloudtest.StartS3(t), cloudtest.StartFake(t)
	for _, e := range []cloudtest.Environment{fake.Environment, server.Environment} {
		for name, value := range e {
			t.Setenv(name, value)
		}
	}
	server.Put(t, "web/doc.yml", []byte(sayHi))
	server.Put(t, "config.json", []byte(`{"documents": [{"path": "s3://documents/web/doc.yml"}], "logS3KeyPrefix": "from-the-file"}`))
	options := []string{
		"--document-s3-bucket-owner", cloudtest.Account, "-b", "documents", "--log-s3-bucket-owner", cloudtest.Account, "-k", "logs",
		"--cw-log-group", "group", "--cw-log-stream", "stream",
	}
	t.Chdir(t.TempDir())
	for _, what := range [][]string{{"-d", "s3://documents/web/doc.yml"}, {"-c", "s3://documents/config.json"}} {
		status, stdout, stderr := awstoe(t, nil, slices.Concat([]string{"run"}, what, options)...)
		result := decode[toe.Result](t, stdout)
		folder, inBucket := strings.CutPrefix(result.LogURL, "s3://documents/logs/TOE_")
		if status != 0 || result.Status != "success" || !inBucket {
			t.Fatalf("run %v: exit status %d, %+v\n%s", what, status, result, stderr)
		}
		if !slices.Contains(server.Keys(t), "logs/TOE_"+folder+"/console.log") {
			t.Errorf("run %v: no console.log among %v", what, server.Keys(t))
		}
	}
	if lines := fake.Stream("group", "stream"); !slices.Contains(lines, "CmdExecution: Stdout: hi") {
		t.Errorf("the log stream has no output: %q", lines)
	}
	status, stdout, _ := awstoe(t, nil, "validate", "-d", "s3://documents/web/doc.yml,s3://documents/none.yml", "--document-s3-bucket-owner", cloudtest.Account)
	if v := decode[validation](t, stdout); status != 1 || !strings.HasPrefix(v.Message, "s3://documents/none.yml: ") {
		t.Errorf("validate: exit status %d, %+v; want only the missing document", status, v)
	}
	status, stdout, _ = awstoe(t, nil, "run", "-d", "s3://documents/web/doc.yml", "--document-s3-bucket-owner", "999999999999")
	if result := decode[toe.Result](t, stdout); status != 1 || result.Status != "failed" || result.ExecutedStepCount != 0 {
		t.Errorf("run with another owner: exit status %d, %+v", status, result)
	}
}
