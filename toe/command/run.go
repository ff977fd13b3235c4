package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud"
)

// runFlags are the options of run.
type runFlags struct {
	settings
	settingFlags                  *pflag.FlagSet
	config, documents, parameters string
	blocked                       []string
	dryRun                        bool
	output                        string // form of the plan
}

func newRun() *cobra.Command {
	var f runFlags
	command := &cobra.Command{
		Use:   "run {--documents LIST | --config FILE}",
		Short: "Run component documents on this host",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(command.Flags())
	return command
}

func (f *runFlags) register(flags *pflag.FlagSet) {
	f.settingFlags = f.settings.flags()
	flags.AddFlagSet(f.settingFlags)
	flags.StringVarP(&f.config, "config", "c", "", "JSON configuration `file`, or s3://bucket/key")
	documentsFlag(flags, &f.documents)
	flags.StringVar(&f.parameters, "parameters", "", "values of parameters, as `n1=v1,n2=v2`")
	flags.StringSliceVar(&f.blocked, "blocked-action-modules", nil, "comma-separated `list` of modules to refuse")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the plan with its references resolved where they can be, and run nothing")
	flags.StringVar(&f.output, "output", "text", "`format` of the plan: text (YAML) or json")
}

// documentsFlag also accepts --document.
func documentsFlag(flags *pflag.FlagSet, documents *string) {
	flags.StringVarP(documents, "documents", "d", "", "comma-separated `list` of documents: files, s3://bucket/key, component ARNs")
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "document" {
			name = "documents"
		}
		return pflag.NormalizedName(name)
	})
}

func (f *runFlags) run(cmd *cobra.Command) error {
	ctx, stdout := cmd.Context(), cmd.OutOrStdout()
	client := cloud.New(os.LookupEnv)
	defer client.Close()
	req, err := f.request(ctx, client, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if f.dryRun {
		return f.plan(cmd, client, req)
	}
	resumes, err := toe.Interrupted(req)
	if err != nil {
		return err
	}
	if resumes && !req.HandOffReboot {
		if err := forget(ctx, req); err != nil {
			return err
		}
	}
	if !resumes { // else the documents come from the state
		if err := readDocuments(ctx, client, f.DocumentS3BucketOwner, req.Documents); err != nil {
			return report(stdout, toe.Result{ExecutionID: req.ExecutionID, Status: "failed", FailureMessage: err.Error()}, nil)
		}
	}
	options := f.options()
	if f.Trace {
		options.Observer = tracer(stdout)
	}
	result, err := toe.Run(ctx, req, options)
	if result.Status == "failed" && result.ExecutedStepCount == 0 && !resumes {
		_, printErr := printFindings(cmd.ErrOrStderr(), req.Documents)
		err = errors.Join(err, printErr)
	}
	return report(stdout, result, err)
}

// options are those that a plan and a run have in common.
func (f *runFlags) options() toe.Options { return toe.Options{Blocked: f.blocked, Restart: restart} }

// plan prints what the run would do.
func (f *runFlags) plan(cmd *cobra.Command, client *cloud.Client, req toe.Request) error {
	if err := readDocuments(cmd.Context(), client, f.DocumentS3BucketOwner, req.Documents); err != nil {
		return err
	}
	if faulty, err := printFindings(cmd.ErrOrStderr(), req.Documents); faulty || err != nil {
		return Error{exitFailed, err}
	}
	plan, err := toe.NewPlan(req, f.options())
	if err != nil {
		return err
	}
	return printPlan(cmd.OutOrStdout(), plan, f.output)
}

// report prints the result of a run that is over, and makes it an exit status.
func report(stdout io.Writer, result toe.Result, err error) error {
	switch {
	case result.Reboot && err == nil:
		return Error{Status: exitReboot()}
	case result.Status == "": // the run has not begun
		return err
	}
	if err := errors.Join(err, printJSON(stdout, result)); err != nil {
		return err
	}
	if result.Status == "failed" {
		return Error{Status: exitFailed}
	}
	return nil
}

// printJSON prints a result in the form of the vendor's command.
func printJSON(w io.Writer, result any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	return enc.Encode(result)
}

// tracer prints the lines of the console log as their file has them.
func tracer(w io.Writer) func(toe.Event) {
	return func(e toe.Event) {
		fmt.Fprintln(w, e.Line())
	}
}

// request is what the options and the configuration file ask for, the
// documents unread.
func (f *runFlags) request(ctx context.Context, client *cloud.Client, warnings io.Writer) (req toe.Request, err error) {
	switch {
	case (f.config == "") == (f.documents == ""):
		return req, errors.New("exactly one of --documents and --config is needed")
	case f.config != "" && f.parameters != "":
		return req, errors.New("--parameters: put them into the configuration file, or leave out --config")
	case f.config != "":
		req, err = f.readConfig(ctx, client, warnings)
	case f.parameters != "":
		req.Parameters, err = parseParameters(f.parameters)
	}
	for _, path := range toe.SplitList(f.documents) {
		req.Documents = append(req.Documents, toe.Source{Path: path})
	}
	if f.ExecutionID == "" {
		f.ExecutionID = uuid.NewString()
	}
	f.warn(warnings)
	req.Phases = toe.SplitList(f.Phases)
	req.ExecutionID, req.LogDirectory, req.StateDirectory = f.ExecutionID, f.LogDirectory, f.StateDirectory
	req.HandOffReboot = handsOff()
	if f.LogS3BucketName != "" {
		req.LogBucket = &toe.LogBucket{Name: f.LogS3BucketName, Owner: f.LogS3BucketOwner, KeyPrefix: f.LogS3KeyPrefix}
	}
	if f.CWLogGroup != "" {
		req.LogStream = &toe.LogStream{Group: f.CWLogGroup, Stream: f.CWLogStream, Region: f.CWLogRegion, IgnoreFailures: f.CWIgnoreFailures}
	}
	return req, err
}
