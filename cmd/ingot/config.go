package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/blob/s3"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/hook"
	"ingot.dev/ingot/notify"
)

// settings are what a server may be told: flags, over INGOT_* variables, over
// one YAML file, over these defaults. Every field has a usable zero value.
type settings struct {
	// Data is the one directory that holds everything.
	Data string `yaml:"data" json:"data"`
	// Listen is the address of the API; port 0 picks a free one.
	Listen string `yaml:"listen" json:"listen"`
	// Account is the twelve-digit account that the first start creates.
	Account string `yaml:"account" json:"account"`
	// Region is the region of this server that commands use.
	Region string `yaml:"region" json:"region"`
	// Regions are further regions; requests signed for one that is in neither are refused.
	Regions []string `yaml:"regions" json:"regions"`
	// Audit is the file of the audit log, off, or empty: audit.log in the data directory.
	Audit string `yaml:"audit" json:"audit"`
	// BuildKind is where components run: container, qemu, or auto (a container where the host can).
	BuildKind string `yaml:"buildKind" json:"buildKind"`
	// TestKind is where test phases run: container, qemu, or auto (qemu where KVM works).
	TestKind string `yaml:"testKind" json:"testKind"`
	// Runtime is the directory of sockets; short, because socket paths are.
	Runtime string `yaml:"runtime" json:"runtime"`
	// Throttle bounds the requests of each account to each operation; rate 0 does not.
	Throttle api.Throttle `yaml:"throttle" json:"throttle"`
	// AtOnce bounds the requests worked on at once, whoever sent them; 0 does not.
	AtOnce int `yaml:"atOnce" json:"atOnce"`
	// Connections bounds the connections to the API; 0 does not.
	Connections int `yaml:"connections" json:"connections"`
	// TLS is the certificate of the API; empty: clear text.
	TLS tlsSettings `yaml:"tls" json:"tls"`
	// Plaintext allows clear text beyond this machine.
	Plaintext bool `yaml:"plaintext" json:"plaintext"`
	// Endpoint is the URL that clients use; empty: made of certificate and address.
	Endpoint string `yaml:"endpoint" json:"endpoint"`
	// Metrics is the address at which /metrics is served to other machines; empty: to none.
	Metrics string `yaml:"metrics" json:"metrics"`
	// Traces says where OpenTelemetry spans of builds go.
	Traces traceSettings `yaml:"traces" json:"traces"`
	// Quotas are what each account may have.
	Quotas ingot.Quotas `yaml:"quotas" json:"quotas"`
	// Builds bounds what builds use at a time.
	Builds build.Limits `yaml:"builds" json:"builds"`
	// StateMachine is the URL that stands in for the state machines of workflows; empty: none.
	StateMachine string `yaml:"stateMachine" json:"stateMachine"`
	// StateMachineCommand is a program that stands in for them instead, and its arguments.
	StateMachineCommand []string `yaml:"stateMachineCommand" json:"stateMachineCommand"`
	// Notifications say who is told of events, and where topics lead.
	Notifications notify.Settings `yaml:"notifications" json:"notifications"`
	// KeepPipelineLogs is how long the logs of pipelines are kept; 0: for good.
	KeepPipelineLogs notify.Duration `yaml:"keepPipelineLogs" json:"keepPipelineLogs"`
	// External lists what requests may name outside this server; a kind without a list may be anything.
	External ingot.Externals `yaml:"external" json:"external"`
	// S3 is the server that objects such as logs are sent to; empty: the data directory.
	S3 s3.Config `yaml:"s3" json:"s3"`

	// schedules says that pipelines run by themselves: a command that does one
	// thing must not begin others.
	schedules bool
}

func defaultSettings() settings {
	s := settings{
		Data:      "/var/lib/ingot",
		Listen:    "127.0.0.1:7480",
		Account:   "000000000000",
		Region:    "us-east-1",
		BuildKind: "auto",
		TestKind:  "auto",
		Runtime:   "/run/ingot",
		Throttle:  api.Throttle{Rate: api.Rate{Rate: 500, Burst: 1000}},
		AtOnce:    256,
		Quotas:    ingot.DefaultQuotas(),

		Connections: 1000,

		KeepPipelineLogs: notify.Duration(90 * 24 * time.Hour),

		Notifications: notify.Default(),
	}
	if os.Geteuid() != 0 {
		home, err := os.UserHomeDir()
		if err == nil {
			s.Data = filepath.Join(home, ".local/share/ingot")
		}
		s.Runtime = filepath.Join(os.TempDir(), fmt.Sprintf("ingot-%d", os.Geteuid()))
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
			s.Runtime = filepath.Join(dir, "ingot")
		}
	}
	return s
}

// variables name the setting behind each INGOT_* variable.
func (s *settings) variables() map[string]*string {
	return map[string]*string{
		"INGOT_DATA":       &s.Data,
		"INGOT_LISTEN":     &s.Listen,
		"INGOT_ACCOUNT":    &s.Account,
		"INGOT_REGION":     &s.Region,
		"INGOT_AUDIT":      &s.Audit,
		"INGOT_BUILD_KIND": &s.BuildKind,
		"INGOT_TEST_KIND":  &s.TestKind,
		"INGOT_RUNTIME":    &s.Runtime,
		"INGOT_METRICS":    &s.Metrics,
	}
}

// load reads the settings in force. The flags are those that were given.
func (a *app) load() (settings, error) {
	s := defaultSettings()
	file := a.configFile
	if file == "" {
		file = os.Getenv("INGOT_CONFIG")
	}
	if file != "" {
		if err := s.readFile(file); err != nil {
			return settings{}, exitError{exitUsage, err}
		}
	}
	for name, field := range s.variables() {
		if v := os.Getenv(name); v != "" {
			*field = v
		}
	}
	if v := os.Getenv("INGOT_REGIONS"); v != "" {
		s.Regions = strings.Split(v, ",")
	}
	if a.data != "" {
		s.Data = a.data
	}
	if err := s.check(); err != nil {
		return settings{}, exitError{exitUsage, err}
	}
	return s, nil
}

// maxConfig bounds the settings file, in bytes.
const maxConfig = 1 << 20

func (s *settings) readFile(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	return s.parse(file, data)
}

func (s *settings) parse(file string, data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("settings %s: %w", file, err)
	}
	return nil
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`) // api.md §1.2
)

func (s *settings) check() error {
	if !accountForm.MatchString(s.Account) {
		return fmt.Errorf("setting account %q: must be twelve digits", s.Account)
	}
	if !regionForm.MatchString(s.Region) {
		return fmt.Errorf("setting region %q: must look like us-east-1", s.Region)
	}
	for _, r := range s.Regions {
		if !regionForm.MatchString(r) {
			return fmt.Errorf("setting regions: %q must look like us-east-1", r)
		}
	}
	for name, kind := range map[string]string{"buildKind": s.BuildKind, "testKind": s.TestKind} {
		if kinds := []string{"auto", compute.KindContainer, compute.KindQEMU}; !slices.Contains(kinds, kind) {
			return fmt.Errorf("setting %s %q: must be one of %s", name, kind, strings.Join(kinds, ", "))
		}
	}
	if err := s.Throttle.Check(); err != nil {
		return fmt.Errorf("setting throttle.%w", err)
	}
	if s.AtOnce < 0 {
		return fmt.Errorf("setting atOnce %d: must be a number of requests, or 0 for no bound", s.AtOnce)
	}
	if s.Connections < 0 {
		return fmt.Errorf("setting connections %d: must be a number of connections, or 0 for no bound", s.Connections)
	}
	if err := s.TLS.check(); err != nil {
		return err
	}
	if err := checkEndpoint(s.Endpoint); err != nil {
		return err
	}
	if s.Metrics != "" {
		if _, _, err := net.SplitHostPort(s.Metrics); err != nil {
			return fmt.Errorf("setting metrics %q: must be an address and a port such as 10.0.0.5:9480", s.Metrics)
		}
	}
	if err := s.checkStateMachine(); err != nil {
		return err
	}
	if err := s.Traces.check(); err != nil {
		return err
	}
	if err := s.Quotas.Check(); err != nil {
		return fmt.Errorf("setting quotas.%w", err)
	}
	if err := s.Builds.Check(); err != nil {
		return fmt.Errorf("setting builds.%w", err)
	}
	if err := s.Notifications.Check(); err != nil {
		return fmt.Errorf("setting notifications.%w", err)
	}
	if err := s.External.Check(); err != nil {
		return fmt.Errorf("setting external.%w", err)
	}
	if err := s.S3.Check(); err != nil {
		return fmt.Errorf("setting s3.%w", err)
	}
	data, err := filepath.Abs(s.Data)
	if err != nil {
		return fmt.Errorf("setting data %q: %w", s.Data, err)
	}
	s.Data = data
	return nil
}

func (s *settings) checkStateMachine() error {
	if len(s.StateMachineCommand) == 0 {
		return nil
	}
	if s.StateMachine != "" {
		return errors.New("settings stateMachine and stateMachineCommand: give one of them")
	}
	if err := hook.Check(s.StateMachineCommand); err != nil {
		return fmt.Errorf("setting stateMachineCommand: %w", err)
	}
	return nil
}

// allRegions are those that the server has, its first in front, each once.
func (s *settings) allRegions() []string {
	all := []string{s.Region}
	for _, r := range s.Regions {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// auditOff turns the audit log off.
const auditOff = "off"

// auditFile is the path of the audit log, or empty.
func (s *settings) auditFile() (string, error) {
	switch s.Audit {
	case auditOff:
		return "", nil
	case "":
		return dataDir(s.Data).path("audit.log"), nil
	}
	path, err := filepath.Abs(s.Audit)
	if err != nil {
		return "", fmt.Errorf("setting audit %q: %w", s.Audit, err)
	}
	return path, nil
}

func newConfigCommand(a *app) *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Show the settings", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	config.AddCommand(&cobra.Command{
		Use:   "print",
		Short: "Print the settings in force",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.printJSON(s)
			}
			enc := yaml.NewEncoder(a.stdout)
			if err := enc.Encode(s); err != nil {
				return err
			}
			return enc.Close()
		},
	})
	return config
}
