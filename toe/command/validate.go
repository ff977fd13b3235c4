package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud"
)

func newValidate() *cobra.Command {
	var documents, bucketOwner, platforms string
	command := &cobra.Command{
		Use:   "validate --documents LIST",
		Short: "Check component documents without running anything",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("documents") {
				return errors.New("--documents is needed")
			}
			return validate(cmd, toe.SplitList(documents), bucketOwner, toe.SplitList(platforms))
		},
	}
	flags := command.Flags()
	documentsFlag(flags, &documents)
	documentOwnerFlag(flags, &bucketOwner)
	flags.StringVar(&platforms, "os-platforms", runtime.GOOS, "comma-separated `list` of linux, windows, darwin; every step must be valid on all of them")
	flags.BoolP("trace", "t", false, "accepted; faults are always shown")
	return command
}

// validation is what validate prints.
type validation struct {
	Status  string `json:"validationStatus"`
	Message string `json:"message"`
}

// validate prints the outcome on standard output and, for people, each fault
// with its line of the document on standard error.
func validate(cmd *cobra.Command, documents []string, bucketOwner string, platforms []string) error {
	if len(platforms) == 0 {
		return errors.New("--os-platforms: name at least one of linux, windows, darwin")
	}
	for _, p := range platforms {
		if !slices.Contains([]string{"linux", "windows", "darwin"}, p) {
			return fmt.Errorf("--os-platforms: %q must be linux, windows or darwin", p)
		}
	}
	checks, err := checkAll(cmd.Context(), documents, bucketOwner, platforms)
	if err != nil {
		return err
	}
	var faults []string
	for i := range checks {
		c := &checks[i]
		if _, err := c.shown.WriteTo(cmd.ErrOrStderr()); err != nil {
			return err
		}
		faults = append(faults, c.faults...)
	}
	v := validation{"success", fmt.Sprintf("Document(s) [%s] is/are valid.", strings.Join(documents, ","))}
	if faults != nil {
		v = validation{"failed", strings.Join(faults, "\n")}
	}
	if err := printJSON(cmd.OutOrStdout(), v); err != nil || faults == nil {
		return err
	}
	return Error{Status: exitFailed}
}

// checked is what came of one document.
type checked struct {
	faults []string
	shown  bytes.Buffer // for people
}

// checkAll checks documents, as many at a time as there are processors.
func checkAll(ctx context.Context, documents []string, bucketOwner string, platforms []string) ([]checked, error) {
	// The process ends after this, and a document has at most 1 MiB: to collect
	// garbage seldom saves a quarter of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	client := cloud.New(os.LookupEnv)
	defer client.Close()
	all := make([]checked, len(documents))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range documents {
		g.Go(func() error {
			source, err := toe.ReadDocument(ctx, client, path, bucketOwner)
			if err != nil {
				all[i].faults = []string{fmt.Sprintf("%s: %v", path, err)}
				return nil
			}
			findings := checkOn(platforms, path, source.Data)
			for _, f := range findings.Errors() {
				all[i].faults = append(all[i].faults, path+":"+f.String())
			}
			return findings.Print(&all[i].shown, path, source.Data)
		})
	}
	return all, g.Wait()
}

// checkOn is what is wrong with a document on any of the platforms.
func checkOn(platforms []string, path string, data []byte) toe.Findings {
	var all toe.Findings
	for _, p := range platforms {
		_, findings := toe.Check(data, toe.CheckOptions{Path: path, Platform: p})
		for _, f := range findings {
			if !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	return all.Sort()
}
