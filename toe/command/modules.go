package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe/module"
)

func newModules() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "modules [NAME...]",
		Short: "Describe the action modules, or some of them in full",
		RunE: func(cmd *cobra.Command, names []string) error {
			modules, err := findModules(names)
			if err != nil {
				return err
			}
			return printModules(cmd.OutOrStdout(), modules, output, len(names) > 0)
		},
	}
	command.Flags().StringVar(&output, "output", "text", "`format`: text, json or markdown")
	return command
}

// findModules are the modules of the names; all of them without names.
func findModules(names []string) ([]*module.Module, error) {
	if len(names) == 0 {
		return module.All(), nil
	}
	var out []*module.Module
	for _, name := range names {
		m := module.Find(name)
		if m == nil {
			return nil, fmt.Errorf("there is no action module %q%s", name, yamldoc.DidYouMean(name, module.Names()))
		}
		out = append(out, m)
	}
	return out, nil
}

func printModules(w io.Writer, modules []*module.Module, format string, full bool) error {
	switch {
	case format == "json":
		return printJSON(w, describeAll(modules))
	case format == "markdown":
		return writeMarkdown(w, modules)
	case format != "text":
		return fmt.Errorf("--output %q: must be text, json or markdown", format)
	case full:
		return writeModules(w, modules)
	default:
		return writeModuleList(w, modules)
	}
}

// moduleInfo is a module as JSON.
type moduleInfo struct {
	Name           string       `json:"name"`
	Description    string       `json:"description"`
	Platforms      []string     `json:"platforms"`
	InputsShape    string       `json:"inputsShape"` // list, mapping or condition
	InputsRequired bool         `json:"inputsRequired"`
	Inputs         []inputInfo  `json:"inputs"`
	OneOf          []string     `json:"oneOf,omitempty"` // exactly one of these inputs is needed
	Outputs        []outputInfo `json:"outputs"`
}

type inputInfo struct {
	Name        string      `json:"name"`
	Type        module.Type `json:"type"`
	Required    bool        `json:"required"`
	Default     string      `json:"default,omitempty"`
	Platforms   []string    `json:"platforms,omitempty"` // fewer than the module's
	Description string      `json:"description"`
}

type outputInfo struct {
	Name        string      `json:"name"`
	Type        module.Type `json:"type"`
	Description string      `json:"description"`
}

func describeAll(modules []*module.Module) []moduleInfo {
	var out []moduleInfo
	for _, m := range modules {
		out = append(out, describe(m))
	}
	return out
}

func describe(m *module.Module) moduleInfo {
	info := moduleInfo{
		Name: m.Name, Description: m.Description, Platforms: m.Platforms, InputsShape: shape(m), InputsRequired: !m.Optional, OneOf: m.OneOf,
		Inputs: []inputInfo{}, Outputs: []outputInfo{},
	}
	for _, in := range m.Inputs {
		info.Inputs = append(info.Inputs, inputInfo{in.Name, in.Type, in.Required, in.Default, in.Platforms, in.Description})
	}
	for _, o := range m.Outputs {
		info.Outputs = append(info.Outputs, outputInfo{o.Name, o.Type, o.Description})
	}
	return info
}

func shape(m *module.Module) string {
	switch {
	case m.Condition:
		return "condition"
	case m.List:
		return "list"
	}
	return "mapping"
}

// shapeText says how the inputs of a module are written.
func shapeText(m *module.Module) string {
	text := map[string]string{
		"condition": "one condition, as in 'if'",
		"list":      "a list of mappings, worked off in order; or one mapping",
		"mapping":   "one mapping",
	}[shape(m)]
	if m.Optional {
		text += "; may be left out"
	}
	return text
}

// attemptsText says which settings of a step the module does not have.
func attemptsText(m *module.Module) string {
	switch {
	case m.Once:
		return "One attempt without a timeout: timeoutSeconds is -1, maxAttempts is 1."
	case m.NoTimeout:
		return "timeoutSeconds has no effect."
	}
	return ""
}

// need is whether an input is required, or what its absence means.
func need(m *module.Module, in module.Input) string {
	switch {
	case in.Required:
		return "required"
	case slices.Contains(m.OneOf, in.Name):
		return "one of " + strings.Join(m.OneOf, ", ")
	case in.Default == "":
		return "optional"
	}
	return "default " + in.Default
}

// inputText is the description of an input with its platforms.
func inputText(in module.Input) string {
	if len(in.Platforms) == 0 {
		return in.Description
	}
	return in.Description + " Only on " + strings.Join(in.Platforms, ", ") + "."
}

// writeModuleList is one line a module.
func writeModuleList(w io.Writer, modules []*module.Module) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODULE\tPLATFORMS\tDESCRIPTION")
	for _, m := range modules {
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.Name, strings.Join(m.Platforms, ","), m.Description)
	}
	return t.Flush()
}

// writeModules is everything about each module.
func writeModules(w io.Writer, modules []*module.Module) error {
	for i, m := range modules {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s (%s)\n%s\n", m.Name, strings.Join(m.Platforms, ", "), m.Description)
		if text := attemptsText(m); text != "" {
			fmt.Fprintln(w, text)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "\ninputs: %s\n", shapeText(m))
		for _, in := range m.Inputs {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", in.Name, in.Type, need(m, in), inputText(in))
		}
		fmt.Fprint(t, "\noutputs:")
		if len(m.Outputs) == 0 {
			fmt.Fprint(t, " none")
		}
		fmt.Fprintln(t)
		for _, o := range m.Outputs {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", o.Name, o.Type, o.Description)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
