package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newPolicyCommand(a *app) *cobra.Command {
	return group("policy", "Attach, list and detach identity policies", newPolicyAttachCommand(a), newPolicyListCommand(a), newPolicyDetachCommand(a))
}

func newPolicyAttachCommand(a *app) *cobra.Command {
	var to holder
	attach := &cobra.Command{
		Use:   "attach NAME FILE",
		Short: "Attach a policy of a JSON file, - for standard input, or replace the one of that name",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			document, err := a.readPolicy(args[1])
			if err != nil {
				return err
			}
			return ask(cmd, a, "policy/attach", func(s settings) (admin.PolicyAttach, error) {
				who, err := to.name(s)
				return admin.PolicyAttach{To: who, Policy: admin.Policy{Name: args[0], Document: document}}, err
			}, func(out admin.Principal) error { return a.printPrincipals([]admin.Principal{out}) })
		},
	}
	to.flags(attach, true)
	return attach
}

// maxPolicyFile bounds what is read, in bytes; the server knows the real limit.
const maxPolicyFile = 256 << 10

func (a *app) readPolicy(file string) (string, error) {
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the policy: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPolicyFile))
	if err != nil {
		return "", fmt.Errorf("reading the policy %s: %w", file, err)
	}
	return string(data), nil
}

func newPolicyListCommand(a *app) *cobra.Command {
	var of holder
	list := &cobra.Command{
		Use:   "list",
		Short: "List the policies of a user or a role, with their documents",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, a, "policy/list", of.name, func(list []admin.Policy) error {
				if a.output == "json" {
					return a.printJSON(list)
				}
				for _, p := range list {
					fmt.Fprintf(a.stdout, "%s:\n%s\n", p.Name, p.Document)
				}
				return nil
			})
		},
	}
	of.flags(list, true)
	return list
}

func newPolicyDetachCommand(a *app) *cobra.Command {
	var from holder
	detach := &cobra.Command{
		Use:   "detach NAME",
		Short: "Detach a policy from a user or a role",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, a, "policy/detach", func(s settings) (admin.PolicyDetach, error) {
				who, err := from.name(s)
				return admin.PolicyDetach{From: who, Name: args[0]}, err
			}, func(out admin.Principal) error {
				if len(out.Policies) == 0 {
					fmt.Fprintf(a.stderr, "%s has no policy now: it may do everything in its account\n", out.ARN)
				}
				return nil
			})
		},
	}
	from.flags(detach, true)
	return detach
}
