package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ingot.dev/ingot/toe"
)

// newToeCommand is the component executor on this host, with the options and
// the output of the vendor's command (component-documents.md §11). Its exit
// status is the vendor's, too: 1 for every failure, 194 for a reboot handed
// over.
func newToeCommand(a *app) *cobra.Command {
	command := &cobra.Command{Use: "toe", Short: "Run or check component documents on this host", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitError{exitFailed, err} })
	command.AddCommand(newToeRunCommand(a), newToeValidateCommand(a))
	return command
}

// exitReboot asks the caller to restart the machine and repeat the command.
const exitReboot = 194

// toeFlags are the options of `toe run`.
type toeFlags struct {
	config, documents, phases, parameters     string
	executionID, logDirectory, stateDirectory string
	blocked                                   []string
	trace                                     bool
}

func newToeRunCommand(a *app) *cobra.Command {
	var f toeFlags
	command := &cobra.Command{
		Use:   "run {--documents LIST | --config FILE}",
		Short: "Run component documents on this host",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.toeRun(cmd, f)
		},
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
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "document" {
			name = "documents"
		}
		return pflag.NormalizedName(name)
	})
	return command
}

// toeNotBuilt are options of the vendor's command that this version refuses.
var toeNotBuilt = []string{
	"document-s3-bucket-owner", "log-s3-bucket-name", "log-s3-bucket-owner", "log-s3-key-prefix",
	"cw-log-group", "cw-log-stream", "cw-log-region", "cw-ignore-failures",
}

func notBuiltFlags(flags *pflag.FlagSet) {
	shorthands := map[string]string{"log-s3-bucket-name": "b", "log-s3-key-prefix": "k"}
	for _, name := range toeNotBuilt {
		flags.StringP(name, shorthands[name], "", "not built into this version yet")
	}
	flags.Lookup("cw-ignore-failures").NoOptDefVal = "true"
}

func refuseNotBuilt(flags *pflag.FlagSet) error {
	for _, name := range toeNotBuilt {
		if flags.Changed(name) {
			return fmt.Errorf("--%s: S3 and log streams are not built into this version yet; leave the option out", name)
		}
	}
	return nil
}

func (a *app) toeRun(cmd *cobra.Command, f toeFlags) error {
	if err := refuseNotBuilt(cmd.Flags()); err != nil {
		return err
	}
	req, err := a.toeRequest(&f)
	if err != nil {
		return err
	}
	resumes, err := toe.Interrupted(req)
	if err != nil {
		return err
	}
	if !resumes { // else the documents come from the state
		if err := readDocuments(req.Documents); err != nil {
			return errors.Join(a.printResult(toe.Result{ExecutionID: req.ExecutionID, Status: "failed", FailureMessage: err.Error()}), exitError{code: exitFailed})
		}
	}
	options := toe.Options{Blocked: f.blocked}
	if f.trace {
		options.Observer = a.traceEvent
	}
	result, err := toe.Run(cmd.Context(), req, options)
	switch {
	case result.Reboot && err == nil:
		return exitError{code: exitReboot}
	case result.Status == "": // the run has not begun
		return err
	}
	if err := errors.Join(err, a.printResult(result)); err != nil {
		return err
	}
	if result.Status == "failed" {
		return exitError{code: exitFailed}
	}
	return nil
}

func (a *app) printResult(result toe.Result) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	return enc.Encode(result)
}

// traceEvent prints a line of the console log as its file has it.
func (a *app) traceEvent(e toe.Event) {
	fmt.Fprintf(a.stdout, "%s %s %s\n", e.Time.UTC().Format("2006-01-02 15:04:05.000"), e.Level, e.Message)
}

// toeRequest puts options over the configuration file.
func (a *app) toeRequest(f *toeFlags) (toe.Request, error) {
	if (f.config == "") == (f.documents == "") {
		return toe.Request{}, errors.New("exactly one of --documents and --config is needed")
	}
	req := toe.Request{HandOffReboot: os.Getenv("TOE_REBOOT_HANDOFF") == "1" || os.Getenv("AWS_SSM_INSTANCE_ID") != ""}
	if f.config != "" {
		if f.parameters != "" {
			return req, errors.New("--parameters: put them into the configuration file, or leave out --config")
		}
		if err := a.toeConfig(f, &req); err != nil {
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

// splitList reads a comma-separated list; white space around the names and
// empty names do not count.
func splitList(s string) []string {
	var out []string
	for _, name := range strings.Split(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

var nextParameter = regexp.MustCompile(`,([A-Za-z0-9_-]{3,128}=)`)

// parseParameters reads n1=v1,n2=v2. A comma separates only where a legal name
// and = follow it; others belong to the value.
func parseParameters(s string) (map[string]string, error) {
	out := map[string]string{}
	for s != "" {
		pair := s
		if at := nextParameter.FindStringIndex(s); at != nil {
			pair, s = s[:at[0]], s[at[0]+1:]
		} else {
			s = ""
		}
		name, value, _ := strings.Cut(pair, "=")
		if name == "" || value == "" {
			return nil, fmt.Errorf("--parameters: %q needs a name and a value, as in name=value", pair)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("--parameters: %s is given twice", name)
		}
		out[name] = value
	}
	return out, nil
}

// readDocuments fills in the data of the documents.
func readDocuments(sources []toe.Source) error {
	for i := range sources {
		data, err := readDocument(sources[i].Path)
		if err != nil {
			return err
		}
		sources[i].Data = data
	}
	return nil
}

// readDocument reads a little more than a document may have; Check says so.
func readDocument(path string) ([]byte, error) {
	for _, prefix := range []string{"s3://", "arn:"} {
		if strings.HasPrefix(path, prefix) {
			return nil, fmt.Errorf("%s: only local documents can be run in this version; copy it to a file", path)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("is a directory")}
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, 2<<20))
}
