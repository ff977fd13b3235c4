package command

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
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
