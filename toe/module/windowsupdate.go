package module

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The Windows Update Agent is a set of COM objects, which PowerShell speaks to
// and Go does not. What is to be installed is decided here.
var (
	//go:embed searchupdates.ps1
	searchUpdates string
	//go:embed installupdates.ps1
	installUpdates string
)

// windowsUpdate is an update that searchUpdates found.
type windowsUpdate struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	KB    []string `json:"kb"` // numbers, without the prefix KB
}

// updateWindows installs until nothing is left: some updates are offered only
// after others. A restart in between runs the step again.
func updateWindows(ctx context.Context, c *Call, include, exclude []string) error {
	var done []string
	for {
		found, err := availableUpdates(ctx, c)
		if err != nil {
			return err
		}
		var ids []string
		for _, u := range selectUpdates(found, include, exclude) {
			if slices.Contains(done, u.ID) {
				c.Console.Printf(Warn, "UpdateOS: %s is offered again after it was installed", u.Title)
				continue
			}
			c.Console.Printf(Info, "UpdateOS: installing %s", u.Title)
			ids = append(ids, u.ID)
		}
		if len(ids) == 0 {
			return nil
		}
		if _, err := c.powerShellScript(ctx, "UpdateOS", installUpdates, ids...); err != nil {
			return rebootRequest(err)
		}
		done = append(done, ids...)
	}
}

var updateID = regexp.MustCompile(`^[0-9A-Fa-f-]{36}$`)

func availableUpdates(ctx context.Context, c *Call) ([]windowsUpdate, error) {
	out, err := c.powerShellScript(ctx, "UpdateOS", searchUpdates)
	if err != nil {
		return nil, fmt.Errorf("searching for updates: %w", err)
	}
	var found []windowsUpdate
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return nil, fmt.Errorf("reading the list of updates: %w", err)
	}
	for _, u := range found {
		if !updateID.MatchString(u.ID) {
			return nil, fmt.Errorf("reading the list of updates: '%s' is not the id of an update", u.ID)
		}
	}
	return found, nil
}

// selectUpdates are those that include names, or all, without those that
// exclude names.
func selectUpdates(found []windowsUpdate, include, exclude []string) []windowsUpdate {
	var out []windowsUpdate
	for _, u := range found {
		if (len(include) == 0 || slices.ContainsFunc(include, u.named)) && !slices.ContainsFunc(exclude, u.named) {
			out = append(out, u)
		}
	}
	return out
}

var kbNumber = regexp.MustCompile(`^(?i:KB)?([0-9]+)$`)

// named reports whether an entry of the document is the update's number or a
// pattern of its title (§9.27).
func (u windowsUpdate) named(entry string) bool {
	if m := kbNumber.FindStringSubmatch(entry); m != nil {
		return slices.Contains(u.KB, m[1])
	}
	return matchStar(strings.ToLower(entry), strings.ToLower(u.Title))
}
