package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

// newAdminCommand says who may use the API. It asks the server by its private
// socket, so whoever may open that needs no access key.
func newAdminCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Manage accounts, users, roles, access keys and policies", RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	c.AddCommand(
		newAccountCommand(a), newPrincipalCommand(a, "user"), newPrincipalCommand(a, "role"),
		newKeyCommand(a), newSessionCommand(a), newPolicyCommand(a),
	)
	return c
}

// group is a command that only has subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: onlySubcommands, Args: cobra.ArbitraryArgs}
	c.AddCommand(commands...)
	return c
}

// ask sends one request to the server and hands its result on.
func ask[In, Out any](cmd *cobra.Command, a *app, operation string, in func(settings) (In, error), show func(Out) error) error {
	return a.withServer(cmd.Context(), func(ctx context.Context, c *connection) error {
		request, err := in(c.settings)
		if err != nil {
			return err
		}
		out, err := admin.Call[In, Out](ctx, c.Admin, operation, request, nil)
		if err != nil {
			return err
		}
		return show(out)
	})
}

// silent is for results that say nothing.
func silent(admin.None) error { return nil }

// holder are the flags that name a user or a role.
type holder struct{ account, user, role string }

func (h *holder) flags(cmd *cobra.Command, roles bool) {
	accountFlag(cmd, &h.account)
	cmd.Flags().StringVar(&h.user, "user", "", "`name` of the user")
	if roles {
		cmd.Flags().StringVar(&h.role, "role", "", "`name` of the role")
		cmd.MarkFlagsMutuallyExclusive("user", "role")
		cmd.MarkFlagsOneRequired("user", "role")
		return
	}
	_ = cmd.MarkFlagRequired("user") // it is there
}

func accountFlag(cmd *cobra.Command, account *string) {
	cmd.Flags().StringVar(account, "account", "", "`id` of the account (default: the server's own)")
}

func (h *holder) name(s settings) (admin.PrincipalName, error) {
	p := admin.PrincipalName{Account: accountOr(h.account, s), Kind: "user", Name: h.user}
	if h.role != "" {
		p.Kind, p.Name = "role", h.role
	}
	return p, nil
}

func accountOr(account string, s settings) string {
	if account != "" {
		return account
	}
	return s.Account
}

func newAccountCommand(a *app) *cobra.Command {
	var name string
	create := &cobra.Command{
		Use:   "create ID",
		Short: "Create an account, a namespace of resources; ID is twelve digits",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, a, "account/create", func(settings) (admin.AccountName, error) {
				if name == "" {
					name = args[0]
				}
				return admin.AccountName{ID: args[0], Name: name}, nil
			}, func(out admin.Account) error { return a.printAccounts([]admin.Account{out}) })
		},
	}
	create.Flags().StringVar(&name, "name", "", "`name` for people (default: the id)")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, a, "account/list", func(settings) (none admin.None, err error) { return none, nil }, a.printAccounts)
		},
	}
	return group("account", "Create and list accounts", create, list)
}

func (a *app) printAccounts(list []admin.Account) error {
	if a.output == "json" {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tNAME\tCREATED")
	for _, v := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.ID, v.Name, v.Created.Format(time.DateTime))
	}
	return w.Flush()
}

func newPrincipalCommand(a *app, kind string) *cobra.Command {
	var account string
	var tags map[string]string
	name := func(args []string) func(settings) (admin.PrincipalName, error) {
		return func(s settings) (admin.PrincipalName, error) {
			return admin.PrincipalName{Account: accountOr(account, s), Kind: kind, Name: strings.Join(args, ""), Tags: tags}, nil
		}
	}
	create := &cobra.Command{
		Use:   "create NAME",
		Short: fmt.Sprintf("Create a %s; without a policy it may do everything in its account", kind),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, a, "principal/create", name(args), func(out admin.Principal) error { return a.printPrincipals([]admin.Principal{out}) })
		},
	}
	create.Flags().StringToStringVar(&tags, "tag", nil, "`key=value` that policies see as aws:PrincipalTag")
	list := &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("List the %ss of an account", kind),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, a, "principal/list", name(nil), a.printPrincipals)
		},
	}
	remove := &cobra.Command{
		Use:   "rm NAME",
		Short: fmt.Sprintf("Remove a %s with its keys, sessions and policies", kind),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, a, "principal/remove", name(args), silent)
		},
	}
	for _, c := range []*cobra.Command{create, list, remove} {
		accountFlag(c, &account)
	}
	return group(kind, fmt.Sprintf("Create, list and remove %ss", kind), create, list, remove)
}

func (a *app) printPrincipals(list []admin.Principal) error {
	if a.output == "json" {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ARN\tID\tPOLICIES")
	for _, p := range list {
		policies := strings.Join(p.Policies, ", ")
		if policies == "" {
			policies = "none: full access"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", p.ARN, p.ID, policies)
	}
	return w.Flush()
}
