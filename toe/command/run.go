package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ingot.dev/ingot/toe"
)

// runFlags are the options of run.
type runFlags struct {
	config, documents, phases, parameters     string
	executionID, logDirectory, stateDirectory string
	blocked                                   []string
	trace                                     bool
}

func newRun() *cobra.Command {
	var f runFlags
	command := &cobra.Command{
		Use:   "run {--documents LIST | --config FILE}",
		Short: "Run component documents on this host",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd, f) },
	}
	flags := command.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "JSON configuration `file`")
	flags.StringVarP(&f.documents, "documents", "d", "", "comma-separated `list` of document files")
	flags.StringVarP(&f.phases, "phases", "p", "", "comma-separated `list` of phases (default all)")
	flags.StringVar(&f.parameters, "parameters", "", "values of parameters, as `n1=v1,n2=v2`")
	flags.StringVarP(&f.executionID, "execution-id", "i", "", "`id` of the run (default a UUID)")
	flags.StringVarP(&f.logDirectory, "log-directory", "l", "", "`directory` of the log folder (default .)")
	flags.StringVarP(&f.stateDirectory, "state-directory", "s", "", "`directory` of what a run keeps over a reboot (default .state in the log directory)")
	flags.StringSliceVar(&f.blocked, "blocked-action-modules", nil, "comma-separated `list` of modules to refuse")
	flags.BoolVarP(&f.trace, "trace", "t", false, "print the console log on standard output, too")
	notBuiltFlags(flags)
	flags.SetNormalizeFunc(documentAlias)
	return command
}

// documentAlias accepts --document for --documents.
func documentAlias(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "document" {
		name = "documents"
	}
	return pflag.NormalizedName(name)
}

// notBuilt are options of the vendor's command that this version refuses.
var notBuilt = []string{
	"document-s3-bucket-owner", "log-s3-bucket-name", "log-s3-bucket-owner", "log-s3-key-prefix",
	"cw-log-group", "cw-log-stream", "cw-log-region", "cw-ignore-failures",
}

func notBuiltFlags(flags *pflag.FlagSet) {
	shorthands := map[string]string{"log-s3-bucket-name": "b", "log-s3-key-prefix": "k"}
	for _, name := range notBuilt {
		flags.StringP(name, shorthands[name], "", "not built into this version yet")
	}
	flags.Lookup("cw-ignore-failures").NoOptDefVal = "true"
}

func refuseNotBuilt(flags *pflag.FlagSet) error {
	for _, name := range notBuilt {
		if flags.Changed(name) {
			return fmt.Errorf("--%s: S3 and log streams are not built into this version yet; leave the option out", name)
		}
	}
	return nil
}

func run(cmd *cobra.Command, f runFlags) error {
	if err := refuseNotBuilt(cmd.Flags()); err != nil {
		return err
	}
	req, err := f.request(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	stdout := cmd.OutOrStdout()
	resumes, err := toe.Interrupted(req)
	if err != nil {
		return err
	}
	if !resumes { // else the documents come from the state
		if err := readDocuments(req.Documents); err != nil {
			return errors.Join(printResult(stdout, toe.Result{ExecutionID: req.ExecutionID, Status: "failed", FailureMessage: err.Error()}), Error{Status: exitFailed})
		}
	}
	options := toe.Options{Blocked: f.blocked}
	if f.trace {
		options.Observer = tracer(stdout)
	}
	result, err := toe.Run(cmd.Context(), req, options)
	switch {
	case result.Reboot && err == nil:
		return Error{Status: exitReboot()}
	case result.Status == "": // the run has not begun
		return err
	}
	if err := errors.Join(err, printResult(stdout, result)); err != nil {
		return err
	}
	if result.Status == "failed" {
		return Error{Status: exitFailed}
	}
	return nil
}

// printResult prints a result as the vendor's command does.
func printResult(w io.Writer, result any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	return enc.Encode(result)
}

// tracer prints the lines of the console log as their file has them.
func tracer(w io.Writer) func(toe.Event) {
	return func(e toe.Event) {
		fmt.Fprintf(w, "%s %s %s\n", e.Time.UTC().Format("2006-01-02 15:04:05.000"), e.Level, e.Message)
	}
}

// request puts options over the configuration file. Remarks on the file go to
// warnings.
func (f *runFlags) request(warnings io.Writer) (toe.Request, error) {
	if (f.config == "") == (f.documents == "") {
		return toe.Request{}, errors.New("exactly one of --documents and --config is needed")
	}
	req := toe.Request{HandOffReboot: os.Getenv("TOE_REBOOT_HANDOFF") == "1" || os.Getenv("AWS_SSM_INSTANCE_ID") != ""}
	if f.config != "" {
		if f.parameters != "" {
			return req, errors.New("--parameters: put them into the configuration file, or leave out --config")
		}
		if err := f.readConfig(&req, warnings); err != nil {
			return req, err
		}
	}
	for _, path := range splitList(f.documents) {
		req.Documents = append(req.Documents, toe.Source{Path: path})
	}
	if f.parameters != "" {
		var err error
		if req.Parameters, err = parseParameters(f.parameters); err != nil {
			return req, err
		}
	}
	if f.phases != "" {
		req.Phases = splitList(f.phases)
	}
	override(&req.ExecutionID, f.executionID)
	override(&req.LogDirectory, f.logDirectory)
	override(&req.StateDirectory, f.stateDirectory)
	return req, nil
}

func override(setting *string, option string) {
	if option != "" {
		*setting = option
	}
}
