package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newEnvCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print export lines that point the AWS CLI at this server",
		Long:  "Print export lines that point the AWS CLI and SDKs at this server:\n\n\teval \"$(ingot env)\"",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			d := dataDir(s.Data)
			endpoint, err := d.readEndpoint()
			if err != nil {
				return err
			}
			c, err := d.readCredentials()
			if err != nil {
				return fmt.Errorf("reading the access key: %w", err)
			}
			vars := [][2]string{
				{"AWS_ENDPOINT_URL", endpoint},
				{"AWS_ENDPOINT_URL_IMAGEBUILDER", endpoint},
				{"AWS_ACCESS_KEY_ID", c.AccessKeyID},
				{"AWS_SECRET_ACCESS_KEY", c.SecretAccessKey},
				{"AWS_REGION", s.Region},
				{"AWS_DEFAULT_REGION", s.Region},
			}
			if _, err := os.Stat(d.path(caFile)); err == nil {
				vars = append(vars, [2]string{"AWS_CA_BUNDLE", d.path(caFile)})
			}
			if a.output == "json" {
				m := make(map[string]string)
				for _, v := range vars {
					m[v[0]] = v[1]
				}
				return a.printJSON(m)
			}
			for _, v := range vars {
				fmt.Fprintf(a.stdout, "export %s='%s'\n", v[0], v[1])
			}
			return nil
		},
	}
}
