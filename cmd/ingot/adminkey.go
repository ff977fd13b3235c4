package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot/admin"
)

func newKeyCommand(a *app) *cobra.Command {
	var of, listed holder
	create := &cobra.Command{
		Use:   "create",
		Short: "Create an access key of a user and print it, once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, a, "key/create", of.name, func(out admin.Secrets) error { return a.printSecrets(out, of.user) })
		},
	}
	of.flags(create, false)
	list := &cobra.Command{
		Use:   "list",
		Short: "List the access keys and sessions of a user or a role",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, a, "key/list", listed.name, a.printKeys)
		},
	}
	listed.flags(list, true)
	remove := &cobra.Command{
		Use:   "rm ID",
		Short: "Remove an access key or end a session",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, a, "key/remove", func(settings) (admin.KeyName, error) { return admin.KeyName{ID: args[0]}, nil }, silent)
		},
	}
	return group("key", "Create, list, disable and remove access keys", create, list,
		newKeyEnableCommand(a, "disable", "Keep an access key or session from signing requests", false),
		newKeyEnableCommand(a, "enable", "Let a disabled access key or session sign requests again", true), remove)
}

func newKeyEnableCommand(a *app, verb, short string, enabled bool) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, a, "key/enable", func(settings) (admin.KeyEnable, error) {
				return admin.KeyEnable{ID: args[0], Enabled: enabled}, nil
			}, silent)
		},
	}
}

func (a *app) printKeys(list []admin.Key) error {
	if a.output == "json" {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tHOLDER\tSTATUS\tSESSION\tEXPIRES")
	for _, k := range list {
		expires := ""
		if k.Expires != nil {
			expires = k.Expires.Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Holder, k.Status, k.Session, expires)
	}
	return w.Flush()
}

// printSecrets prints a profile for ~/.aws/credentials or, as JSON, what a
// credential_process answers.
func (a *app) printSecrets(s admin.Secrets, profile string) error {
	if a.output == "json" {
		return a.printJSON(s)
	}
	fmt.Fprintf(a.stdout, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", profile, s.AccessKeyID, s.SecretAccessKey)
	if s.SessionToken != "" {
		fmt.Fprintf(a.stdout, "aws_session_token = %s\n", s.SessionToken)
	}
	return nil
}

func newSessionCommand(a *app) *cobra.Command {
	var of holder
	var name string
	var duration time.Duration
	create := &cobra.Command{
		Use:   "create",
		Short: "Create temporary credentials of a user or a role and print them, once",
		Long: "Create temporary credentials of a user or a role and print them, once.\n\n" +
			"With --output json it answers as a credential_process of the AWS CLI and SDKs:\n\n" +
			"\tcredential_process = ingot admin session create --role build --output json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, a, "session/create", func(s settings) (admin.SessionCreate, error) {
				who, err := of.name(s)
				if duration%time.Second != 0 {
					return admin.SessionCreate{}, usagef("--duration %s: must be whole seconds", duration)
				}
				return admin.SessionCreate{Holder: who, Name: name, Seconds: int(duration / time.Second)}, err
			}, func(out admin.Secrets) error { return a.printSecrets(out, name) })
		},
	}
	of.flags(create, true)
	create.Flags().StringVar(&name, "name", "session", "`name` of the session, which messages and policies see")
	create.Flags().DurationVar(&duration, "duration", time.Hour, "how long it lasts, 15m to 12h")
	return group("session", "Create temporary credentials", create)
}
