package command

import (
	"github.com/spf13/cobra"

	"ingot.dev/ingot/toe"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of component documents, for editors",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return printJSON(cmd.OutOrStdout(), toe.Schema()) },
	}
}
