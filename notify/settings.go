package notify

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
)

// Settings say who is told what. Without any, messages are kept for a while
// and go nowhere. Secrets are in files, which Settings name.
type Settings struct {
	// Endpoints are who can be told, by a name of the operator's.
	Endpoints map[string]Endpoint `yaml:"endpoints,omitempty" json:"endpoints,omitempty"`
	// Events says which endpoints get the events; of several rules all count.
	Events []Rule `yaml:"events,omitempty" json:"events,omitempty"`
	// Topics are the subscriptions of topics: endpoints by ARN or by name.
	Topics map[string][]string `yaml:"topics,omitempty" json:"topics,omitempty"`
	// Functions are the endpoints that stand in for functions, by ARN or by name.
	Functions map[string]string `yaml:"functions,omitempty" json:"functions,omitempty"`
	// Attempts is how often a delivery is tried before it is dead.
	Attempts int `yaml:"attempts" json:"attempts"`
	// KeepDelivered is how long a message stays to be looked at when all have got it.
	KeepDelivered Duration `yaml:"keepDelivered" json:"keepDelivered"`
	// KeepDead is how long a dead delivery waits for somebody to retry it.
	KeepDead Duration `yaml:"keepDead" json:"keepDead"`
}

// Default is what is in force without settings. A hundred attempts with the
// pauses of Backoff take about a day.
func Default() Settings {
	return Settings{Attempts: 100, KeepDelivered: Duration(24 * time.Hour), KeepDead: Duration(30 * 24 * time.Hour)}
}

// Rule sends events of some types, or of all, to endpoints.
type Rule struct {
	Types []ingot.EventType `yaml:"types,omitempty" json:"types,omitempty"`
	To    []string          `yaml:"to" json:"to"`
}

// Endpoint is one of its members.
type Endpoint struct {
	Webhook *Webhook `yaml:"webhook,omitempty" json:"webhook,omitempty"`
	Command *Command `yaml:"command,omitempty" json:"command,omitempty"`
	File    *File    `yaml:"file,omitempty" json:"file,omitempty"`
	Mail    *Mail    `yaml:"mail,omitempty" json:"mail,omitempty"`
}

// Duration is written as 90s, 15m or 24h.
type Duration time.Duration

// UnmarshalText reads a duration that is not negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration: write it as 90s, 15m or 24h", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// or is the duration, or another one when it is zero.
func (d Duration) or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}

var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Check finds the first mistake that can be seen without looking at files.
func (s Settings) Check() error {
	if err := s.each(endpoint.check); err != nil {
		return err
	}
	if s.Attempts < 1 {
		return fmt.Errorf("attempts: %d is not a number from 1", s.Attempts)
	}
	return s.checkRoutes()
}

// checkFiles finds the first file that the settings name and that cannot be used.
func (s Settings) checkFiles() error { return s.each(endpoint.checkFiles) }

// each checks all endpoints. The errors of check begin with the name of the
// setting at fault.
func (s Settings) each(check func(endpoint) error) error {
	for _, name := range slices.Sorted(maps.Keys(s.Endpoints)) {
		path := "endpoints." + name
		if !endpointName.MatchString(name) {
			return fmt.Errorf("%s: a name is 1 to 64 letters, digits, dots, hyphens and underscores", path)
		}
		kind, e, err := s.Endpoints[name].kind()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := check(e); err != nil {
			return fmt.Errorf("%s.%s.%w", path, kind, err)
		}
	}
	return nil
}

func (s Settings) checkRoutes() error {
	for i, r := range s.Events {
		for _, t := range r.Types {
			if !slices.Contains(eventTypes, t) {
				return fmt.Errorf("events[%d].types: unknown type %q; there are %s", i, t, quoted(eventTypes))
			}
		}
		if err := s.checkNames(fmt.Sprintf("events[%d].to", i), r.To); err != nil {
			return err
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(s.Topics)) {
		if strings.HasSuffix(topic, ".fifo") {
			return fmt.Errorf("topics.%s: FIFO topics are not for images; name a standard topic", topic)
		}
		if err := s.checkNames("topics."+topic, s.Topics[topic]); err != nil {
			return err
		}
	}
	for _, f := range slices.Sorted(maps.Keys(s.Functions)) {
		if err := s.checkNames("functions."+f, []string{s.Functions[f]}); err != nil {
			return err
		}
	}
	return nil
}

var eventTypes = []ingot.EventType{ingot.EventImageState, ingot.EventCVE, ingot.EventStepWaiting, ingot.EventPipelineDisabled}

func quoted[T ~string](values []T) string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprintf("%q", string(v)))
	}
	return strings.Join(all, ", ")
}

func (s Settings) checkNames(path string, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("%s: names no endpoint; leave it out, or name one", path)
	}
	for _, name := range names {
		if _, ok := s.Endpoints[name]; !ok {
			return fmt.Errorf("%s: there is no endpoint %q under 'endpoints'", path, name)
		}
	}
	return nil
}

// endpoint is what an Endpoint is of.
type endpoint interface {
	check() error
	checkFiles() error
	sender() sender
}

// kind returns the one member that is set.
func (e Endpoint) kind() (name string, of endpoint, err error) {
	n := 0
	if e.Webhook != nil {
		name, of, n = "webhook", e.Webhook, n+1
	}
	if e.Command != nil {
		name, of, n = "command", e.Command, n+1
	}
	if e.File != nil {
		name, of, n = "file", e.File, n+1
	}
	if e.Mail != nil {
		name, of, n = "mail", e.Mail, n+1
	}
	if n != 1 {
		return "", nil, fmt.Errorf("has %d of webhook, command, file and mail; give one", n)
	}
	return name, of, nil
}

// route names the endpoints that a message goes to. ok is false for a topic or
// a function that is not in the settings.
func (s Settings) route(m ingot.Message) (to []string, ok bool) {
	switch m.Channel {
	case ingot.ChannelEvents:
		for _, r := range s.Events {
			if len(r.Types) == 0 || slices.Contains(r.Types, ingot.EventType(m.Name)) {
				to = append(to, r.To...)
			}
		}
		return to, true
	case ingot.ChannelTopic:
		to, ok = lookUp(s.Topics, m.Name, lastPart(m.Name))
	case ingot.ChannelFunction:
		var name string
		if name, ok = lookUp(s.Functions, m.Name, functionName(m.Name)); ok {
			to = []string{name}
		}
	}
	return to, ok
}

// HasFunction reports whether something stands in for a function, given by its
// name or ARN.
func (s Settings) HasFunction(name string) bool {
	_, ok := s.route(ingot.Message{Channel: ingot.ChannelFunction, Name: name})
	return ok
}

// lookUp returns what is under the first of the keys that is there.
func lookUp[V any](m map[string]V, keys ...string) (v V, ok bool) {
	for _, k := range keys {
		if v, ok = m[k]; ok {
			return v, true
		}
	}
	return v, false
}

// lastPart is the name in arn:aws:sns:REGION:ACCOUNT:NAME.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// functionName is the name in arn:aws:lambda:REGION:ACCOUNT:function:NAME[:VERSION].
func functionName(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) >= 7 {
		return parts[6]
	}
	return arn
}

// checkURL checks the address of a webhook.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("it is not a URL") // the cause would print it, and it may be a secret
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("a URL begins with http:// or https:// and a host")
	case u.User != nil:
		return fmt.Errorf("a URL has no user name and password here; sign with a secretFile, or put the URL into a file and name it as urlFile")
	}
	return nil
}

// checkPath checks the name of a file; an empty one is absent.
func checkPath(setting, path string) error {
	if path != "" && !filepath.IsAbs(path) {
		return fmt.Errorf("%s: %q is not an absolute path", setting, path)
	}
	return nil
}
