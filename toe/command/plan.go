package command

import (
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot/toe"
)

// printPlan prints what a run would do: as YAML for people, or as JSON.
func printPlan(w io.Writer, plan *toe.Plan, format string) error {
	switch format {
	case "json":
		return printJSON(w, plan)
	case "text":
		text, err := yaml.Dump(plan, yaml.WithLineWidth(-1)) // commands stay on their lines
		if err != nil {
			return fmt.Errorf("writing the plan: %w", err)
		}
		_, err = fmt.Fprintf(w, "# What would run. A '{{ … }}' that is left is resolved when its step runs.\n%s", text)
		return err
	default:
		return fmt.Errorf("--output %q: must be text or json", format)
	}
}
