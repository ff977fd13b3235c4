package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newParameterCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "parameter",
		Short: "Put, get, list and remove parameters, which recipes and distributions name",
		Long: "Parameters are names that stay for values that change: a recipe with the parent\n" +
			"ssm:/golden/web builds on the AMI whose id the parameter /golden/web holds at\n" +
			"that time, and a distribution may write the id of each new AMI into one.",
		RunE: onlySubcommands, Args: cobra.ArbitraryArgs,
	}
	var in admin.ParameterName
	c.PersistentFlags().StringVar(&in.Account, "account", "", "`id` of the account (default the server's first)")
	c.PersistentFlags().StringVar(&in.Region, "region", "", "`name` of the region (default the server's first)")
	c.AddCommand(newParameterPutCommand(a, &in), newParameterGetCommand(a, &in), newParameterListCommand(a, &in), newParameterRemoveCommand(a, &in))
	return c
}

func newParameterPutCommand(a *app, in *admin.ParameterName) *cobra.Command {
	var dataType string
	put := &cobra.Command{
		Use:   "put NAME VALUE",
		Short: "Set a parameter",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := admin.Parameter{Account: in.Account, Region: in.Region, Name: args[0], Value: args[1], DataType: dataType}
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				stored, err := admin.Call[admin.Parameter, admin.Parameter](ctx, c.Admin, "parameter/put", p, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(stored)
				}
				_, err = fmt.Fprintf(a.stdout, "%s version %d\n", stored.Name, stored.Version)
				return err
			})
		},
	}
	put.Flags().StringVar(&dataType, "type", "text", "text, or aws:ec2:image: the value must be an AMI of the region")
	return put
}

func newParameterGetCommand(a *app, in *admin.ParameterName) *cobra.Command {
	return &cobra.Command{
		Use:   "get NAME",
		Short: "Print the value of a parameter",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				p, err := admin.Call[admin.ParameterName, admin.Parameter](ctx, c.Admin, "parameter/get", *in, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(p)
				}
				_, err = fmt.Fprintln(a.stdout, p.Value)
				return err
			})
		},
	}
}

func newParameterListCommand(a *app, in *admin.ParameterName) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the parameters of an account in a region",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				list, err := admin.Call[admin.ParameterName, []admin.Parameter](ctx, c.Admin, "parameter/list", *in, nil)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(list)
				}
				w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
				fmt.Fprintln(w, "NAME\tVALUE\tTYPE\tVERSION\tMODIFIED")
				for _, p := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", p.Name, p.Value, p.DataType, p.Version, localTime(p.Modified))
				}
				return w.Flush()
			})
		},
	}
}

func newParameterRemoveCommand(a *app, in *admin.ParameterName) *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a parameter",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
				_, err := admin.Call[admin.ParameterName, admin.None](ctx, c.Admin, "parameter/remove", *in, nil)
				return err
			})
		},
	}
}
