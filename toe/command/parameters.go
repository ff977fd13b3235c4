package command

import (
	"fmt"
	"regexp"
	"strings"
)

var nextParameter = regexp.MustCompile(`,([A-Za-z0-9_-]{3,128}=)`)

// parseParameters reads n1=v1,n2=v2. A comma separates only where a legal name
// and = follow it; others belong to the value.
func parseParameters(s string) (map[string]string, error) {
	out := map[string]string{}
	for s != "" {
		pair := s
		if at := nextParameter.FindStringIndex(s); at != nil {
			pair, s = s[:at[0]], s[at[0]+1:]
		} else {
			s = ""
		}
		name, value, _ := strings.Cut(pair, "=")
		if name == "" || value == "" {
			return nil, fmt.Errorf("--parameters: %q needs a name and a value, as in name=value", pair)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("--parameters: %s is given twice", name)
		}
		out[name] = value
	}
	return out, nil
}
