package ingot

import (
	"fmt"
	"slices"
)

// External is a kind of things that requests name and that are not here: their
// names are looked up where the operator lists them. Source: api.md §3.
type External string

const (
	ExternalInstanceProfile External = "instanceProfiles"
	ExternalRepository      External = "repositories"
)

// Externals are the names that exist, by kind. Every name of a kind without an
// entry is accepted; a kind with an empty list has none.
type Externals map[External][]string

// Check says what is wrong with a configuration, beginning with the kind.
func (e Externals) Check() error {
	for kind := range e {
		switch kind {
		case ExternalInstanceProfile, ExternalRepository:
		default:
			return fmt.Errorf("%s: there is no such kind; the kinds are %s and %s", kind,
				ExternalInstanceProfile, ExternalRepository)
		}
	}
	return nil
}

// Exists says whether a name may be used.
func (e Externals) Exists(kind External, name string) bool {
	names, listed := e[kind]
	return !listed || slices.Contains(names, name)
}

// Missing is the refusal of a name that does not exist. Clients know some of
// its words. Source: api.md §1.5.
func (kind External) Missing(name string) error {
	remedy := fmt.Sprintf("The setting external.%s of this server does not name '%s'.", kind, name)
	if kind == ExternalInstanceProfile {
		return InvalidField("instanceProfileName", "The instance profile does not exist. %s", remedy)
	}
	return Errorf(CodeNotFound, "The repository '%s' does not exist. %s", name, remedy)
}
