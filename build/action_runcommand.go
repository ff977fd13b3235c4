package build

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/workflow"
)

// commandDocuments are what RunCommand can run. Source: workflows.md §7.6.
var commandDocuments = map[string]stepAction{
	"AWS-RunShellScript": func(w *work, ctx context.Context) (map[string]any, error) {
		return w.runScript(ctx, []string{"/bin/sh"})
	},
	"AWS-RunPowerShellScript": (*work).runPowerShell,
	"AWSEC2-RunSysprep":       (*work).runSysPrep,
	"AWS-UpdateSSMAgent": func(w *work, _ context.Context) (map[string]any, error) {
		return w.commandOutputs("Ingot's agent comes with every launch; there is nothing to update"), nil
	},
}

// runCommand runs a command document in an instance.
func (w *work) runCommand(ctx context.Context) (map[string]any, error) {
	name := w.text("documentName")
	do := commandDocuments[name]
	if do == nil {
		return nil, ingot.Errorf(ingot.CodeInvalid, "there is no command document %q; this server has AWS-RunShellScript, AWS-RunPowerShellScript, AWSEC2-RunSysprep and AWS-UpdateSSMAgent", name)
	}
	return do(w, ctx)
}

// runPowerShell needs PowerShell in the instance, which Linux images rarely have.
func (w *work) runPowerShell(ctx context.Context) (map[string]any, error) {
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	cmd := guest.Command{ID: w.commandID() + "-pwsh", Args: []string{"/bin/sh", "-c", "command -v pwsh"}}
	exit, err := c.Exec(ctx, cmd, nil, func(guest.Event) error { return nil })
	if err != nil {
		return nil, w.orLost(ctx, err)
	}
	if exit != 0 {
		return nil, ingot.Errorf(ingot.CodeInvalid, "AWS-RunPowerShellScript needs the program pwsh, which the instance does not have; install it with a component, or use AWS-RunShellScript")
	}
	return w.runScript(ctx, []string{"pwsh", "-NoProfile", "-NonInteractive", "-File"})
}

const (
	defaultExecution = time.Hour // of a command document's executionTimeout
	maxCommandOutput = 64 << 10  // bytes of a command's output that the step keeps; the log has all
	timedOutStatus   = 124       // exit status of timeout(1)
	endGrace         = "5"       // seconds between the two signals of timeout(1)
)

// runScript runs the parameter commands as one script with an interpreter,
// unless its first line names another. The command outlives a restart of the
// server, so timeout(1) in the instance ends it.
func (w *work) runScript(ctx context.Context, interpreter []string) (map[string]any, error) {
	s, err := w.script()
	if err != nil {
		return nil, err
	}
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	path := "/run/ingot-command-" + w.commandID()
	if err := c.PutFile(ctx, path, 0o700, strings.NewReader(s.text)); err != nil {
		return nil, w.orLost(ctx, err)
	}
	if strings.HasPrefix(s.text, "#!") {
		interpreter = nil
	}
	args := append([]string{"timeout", "-k", endGrace, strconv.Itoa(s.seconds)}, append(interpreter, path)...)
	out := &commandOutput{w: w}
	if out.from, err = w.log.lastSeq(w.commandID()); err != nil {
		return nil, err
	}
	exit, err := c.Exec(ctx, guest.Command{ID: w.commandID(), Args: args, Dir: s.directory}, nil, out.add)
	switch {
	case err != nil:
		return nil, w.orLost(ctx, err)
	case exit == timedOutStatus:
		return nil, fmt.Errorf("command %s was ended after %d seconds, its executionTimeout%s", w.commandID(), s.seconds, out.tail())
	case exit != 0:
		return nil, fmt.Errorf("command %s ended with exit code %d%s", w.commandID(), exit, out.tail())
	}
	return w.commandOutputs(out.text.String()), nil
}

// commandOutputs are those of a command that succeeded: one text for each step
// of the document, and all documents here have one.
func (w *work) commandOutputs(text string) map[string]any {
	return map[string]any{"runCommandId": w.commandID(), "status": "Success", "output": []any{text}}
}

// script is what the parameters of a command document say.
type script struct {
	text      string
	directory string
	seconds   int
}

// commandParameters are those of the documents that run scripts.
const (
	parameterCommands  = "commands"
	parameterDirectory = "workingDirectory"
	parameterTimeout   = "executionTimeout"
)

func (w *work) script() (script, error) {
	s := script{directory: w.Plan.Directory, seconds: int(defaultExecution / time.Second)}
	given, _ := w.Step.Inputs["parameters"].(map[string]any) // of what kind it is was checked
	for name, value := range given {
		texts, _ := workflow.Strings(value)
		switch {
		case name == parameterCommands:
			s.text = strings.Join(texts, "\n") + "\n"
		case name == parameterDirectory && len(texts) == 1:
			if texts[0] != "" {
				s.directory = texts[0]
			}
		case name == parameterTimeout && len(texts) == 1:
			seconds, err := strconv.Atoi(texts[0])
			if err != nil || seconds < 1 || seconds > 48*60*60 {
				return s, ingot.Errorf(ingot.CodeInvalid, "the parameter executionTimeout is %q; it must be a number of seconds from 1 to 172800", texts[0])
			}
			s.seconds = seconds
		default:
			return s, ingot.Errorf(ingot.CodeInvalid, "the parameter %q with %d values does not suit the document %s: it takes commands, and one value each of workingDirectory and executionTimeout", name, len(texts), w.text("documentName"))
		}
	}
	if s.text == "" {
		return s, ingot.Errorf(ingot.CodeInvalid, "the document %s needs the parameter commands", w.text("documentName"))
	}
	s.seconds = min(s.seconds, int(math.Ceil(w.Step.Timeout.Seconds())))
	return s, nil
}

// commandOutput logs what a command prints, and keeps the beginning of its
// standard output and its last lines.
type commandOutput struct {
	w    *work
	from int64 // number of the last event that the log has
	text strings.Builder
	last []string
}

func (o *commandOutput) add(e guest.Event) error {
	if e.Exit != nil {
		return nil
	}
	if e.Stream == "stdout" && o.text.Len()+len(e.Line) < maxCommandOutput {
		o.text.WriteString(e.Line + "\n")
	}
	if o.last = append(o.last, e.Line); len(o.last) > 5 {
		o.last = o.last[1:]
	}
	if e.Seq <= o.from {
		return nil
	}
	return o.w.log.write(Line{Time: o.w.Now(), Stream: e.Stream, Text: e.Line, Run: o.w.commandID(), Seq: e.Seq})
}

func (o *commandOutput) tail() string {
	if len(o.last) == 0 {
		return ""
	}
	return "; last lines: " + joinLast(o.last, maxTail)
}
