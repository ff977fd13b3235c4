package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ingot.dev/ingot/toe/cloud"
)

// Exit codes of msiexec that do not mean failure.
const (
	msiUnknownProduct  = 1605 // it is not installed
	msiUninstalled     = 1614
	msiRebootInitiated = 1641
	msiRebootRequired  = 3010
)

var installMSI = Module{
	Name:        "InstallMSI",
	Description: "Installs a package of Windows Installer without asking.",
	Platforms:   []string{"windows"},
	Inputs:      msiInputs,
	Outputs:     msiOutputs,
	Run:         msi{"InstallMSI", "/i", []int{0, msiUninstalled, msiRebootInitiated, msiRebootRequired}}.run,
}

var uninstallMSI = Module{
	Name:        "UninstallMSI",
	Description: "Uninstalls what a package of Windows Installer has installed, without asking.",
	Platforms:   []string{"windows"},
	Inputs:      msiInputs,
	Outputs:     msiOutputs,
	Run:         msi{"UninstallMSI", "/x", []int{0, msiUnknownProduct, msiUninstalled, msiRebootInitiated, msiRebootRequired}}.run,
}

var msiInputs = []Input{
	{Name: "path", Type: String, Required: true, Check: checkPackage, Description: "The .msi file: a path, an s3:// location or an http:// or https:// URL."},
	{Name: "reboot", Type: String, Default: "Allow", Check: checkMSIReboot, Description: "Allow: the machine restarts if the installer asks for it. Force: it restarts after every success. Skip: never."},
	{Name: "logOptions", Type: String, Default: "*VX", Check: checkLogOptions, Description: "What the log holds: letters of msiexec's /L."},
	{Name: "logFile", Type: String, Default: "no log", Check: checkQuotable, Description: "The installer's log; missing folders above it are created."},
	{Name: "properties", Type: StringMap, Check: checkProperty, Description: "Properties of the package, passed as NAME=value with the value as it stands: one with a space needs double quotes of its own."},
	{Name: "ignoreAuthenticodeSignatureErrors", Type: Boolean, Default: "false", Description: "Whether a signature that is not valid will do."},
	{Name: "allowUnsignedInstaller", Type: Boolean, Default: "false", Description: "Whether a package without a signature will do."},
}

var msiOutputs = []Output{
	{Name: "logFile", Type: String, Description: "Path of the log, empty without one."},
	{Name: "msiExitCode", Type: Integer, Description: "The exit code of msiexec."},
	{Name: "stdout", Type: String, Description: "What msiexec printed, without final line feeds."},
}

// checkQuotable refuses what cannot stand between double quotes on a command
// line; no file of Windows has it in its name.
func checkQuotable(path string) error {
	if strings.Contains(path, `"`) {
		return fmt.Errorf(`'%s' contains a double quote`, path)
	}
	return nil
}

func checkPackage(path string) error {
	switch {
	case isS3(path):
		_, err := cloud.ParseLocation(path)
		return err
	case isURL(path):
		return checkURL(path)
	}
	if err := notEmpty(path); err != nil {
		return err
	}
	return checkQuotable(path)
}

func isS3(path string) bool { return strings.HasPrefix(path, "s3://") }

func isURL(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

func checkMSIReboot(s string) error {
	if !slices.Contains([]string{"Allow", "Force", "Skip"}, s) {
		return fmt.Errorf("'%s' is not Allow, Force or Skip", s)
	}
	return nil
}

func checkLogOptions(s string) error {
	const letters = "iwearucmopvx+!*"
	if s == "" || strings.Trim(strings.ToLower(s), letters) != "" {
		return fmt.Errorf("'%s' is not made of the letters %s", s, letters)
	}
	return nil
}

// checkProperty refuses names that are none, and those of properties that
// would restart the machine or change what is installed (§9.24).
func checkProperty(name string) error {
	for i, r := range name {
		if !(r == '_' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || i > 0 && (r == '.' || '0' <= r && r <= '9')) {
			return fmt.Errorf("'%s' is not the name of a property", name)
		}
	}
	if name == "" || slices.Contains([]string{"REBOOT", "REINSTALL", "REINSTALLMODE"}, strings.ToUpper(name)) {
		return fmt.Errorf("the property '%s' must not be set", name)
	}
	return nil
}

// msi is one of the two modules.
type msi struct {
	action string
	option string // of msiexec, before the package
	fine   []int  // exit codes of success
}

func (m msi) run(ctx context.Context, c *Call) ([]Values, error) {
	path, remove, err := m.fetch(ctx, c)
	if err != nil {
		return nil, err
	}
	out, err := m.execute(ctx, c, path)
	return out, errors.Join(err, remove())
}

// fetch returns the path of the package, downloaded if need be, and what
// removes the download.
func (m msi) fetch(ctx context.Context, c *Call) (path string, remove func() error, err error) {
	source := c.Inputs[0].String("path")
	if !isS3(source) && !isURL(source) {
		path = c.Path(source)
		_, err := os.Stat(path)
		return path, func() error { return nil }, err
	}
	dir, err := scratch()
	if err != nil {
		return "", nil, err
	}
	c.Console.Printf(Info, "%s: Created temporary directory: %s", m.action, dir)
	path = filepath.Join(dir, "package.msi")
	if err := downloadPackage(ctx, c, source, path); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return path, func() error { return os.RemoveAll(dir) }, nil
}

func downloadPackage(ctx context.Context, c *Call, source, path string) error {
	if isURL(source) {
		d, err := newDownload(source, path, c.Console)
		if err != nil {
			return err
		}
		return d.run(ctx)
	}
	location, err := cloud.ParseLocation(source)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(c.Cloud.Bucket(location.Bucket, "").Download(ctx, location.Key, f), f.Close())
}

// execute checks the signature and runs msiexec.
func (m msi) execute(ctx context.Context, c *Call, path string) ([]Values, error) {
	in := c.Inputs[0]
	if err := m.checkSignature(c.Console, path, in); err != nil {
		return nil, err
	}
	log := c.Path(in.String("logFile"))
	if log != "" {
		if err := os.MkdirAll(filepath.Dir(log), 0o777); err != nil {
			return nil, err
		}
	}
	stdout, err := c.msiexec(ctx, m.arguments(path, log, in))
	code, exit := 0, (*exec.ExitError)(nil)
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return nil, err
	}
	out := []Values{{"logFile": log, "msiExitCode": int64(code), "stdout": stdout}}
	if !slices.Contains(m.fine, code) {
		return out, msiError{exit}
	}
	return out, m.reboot(c.Console, code, in.String("reboot"))
}

// arguments are the command line behind the program's name, in msiexec's own
// way of quoting.
func (m msi) arguments(path, log string, in Values) string {
	words := []string{m.option, `"` + path + `"`, "/qn", "/norestart"}
	if log != "" {
		options := in.String("logOptions")
		if options == "" {
			options = "*VX"
		}
		words = append(words, "/L"+options, `"`+log+`"`)
	}
	properties := in.Map("properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		words = append(words, name+"="+properties[name])
	}
	return strings.Join(words, " ")
}

// errUnsigned is the failure of verifySignature for a file without signature.
var errUnsigned = errors.New("it is not signed")

func (m msi) checkSignature(console Console, path string, in Values) error {
	err := verifySignature(path)
	if err == nil {
		return nil
	}
	remedy := "ignoreAuthenticodeSignatureErrors"
	if errors.Is(err, errUnsigned) {
		remedy = "allowUnsignedInstaller"
	}
	if !in.Bool(remedy, false) {
		return fmt.Errorf("checking the signature of %s: %w; %s: true accepts that", path, err, remedy)
	}
	console.Printf(Warn, "%s: %s is accepted, although: %v", m.action, path, err)
	return nil
}

// reboot asks for the restart that the exit code and the document call for.
func (m msi) reboot(console Console, code int, wish string) error {
	asked := code == msiRebootInitiated || code == msiRebootRequired
	if wish == "Force" || asked && wish != "Skip" {
		return &Reboot{}
	}
	if asked {
		console.Printf(Info, "%s: the restart that exit code %d asks for is skipped", m.action, code)
	}
	return nil
}

// msiError is an exit code of failure in the words of §9.24.
type msiError struct{ exit *exec.ExitError }

func (e msiError) Error() string {
	return fmt.Sprintf("msiexec exited with code %d", e.exit.ExitCode())
}

func (e msiError) Unwrap() error { return e.exit }
