package ingot

import (
	"context"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// Scope is a namespace: a resource is never visible outside its account and region.
type Scope struct {
	Account string // twelve digits, or "aws" for the managed catalogue
	Region  string
}

// AMI is one registered machine image of a region: a name for a disk snapshot
// and for how to start it. Base images and built images are both AMIs.
type AMI struct {
	Scope
	ID           string // "ami-" and 17 hex digits
	Name         string
	Description  string
	Architecture string   // "x86_64" or "arm64"
	Platform     string   // "Linux" or "Windows"
	OSVersion    string   // as in api.md §7.3; may be refined by a build
	DefaultUser  string   // login that cloud-init makes; may be empty
	BootModes    []string // of "bios" and "uefi", as far as known
	Snapshot     string   // disk snapshot of the root volume, in region storage
	SizeBytes    int64    // of the root volume
	ImageARN     string   // image build version that this AMI belongs to
	Parent       string   // AMI id it was built from; empty for a base
	Tags         map[string]string
	Created      time.Time
	Permission   *model.LaunchPermissionConfiguration `json:",omitempty"` // who else may use it; nil: nobody
	Licenses     []string                             `json:",omitempty"` // ARNs of license configurations
	Deprecated   time.Time                            `json:",omitzero"`  // since when; zero: it is not
	Disabled     bool                                 `json:",omitempty"` // nothing is launched from it
	Launched     time.Time                            `json:",omitzero"`  // last, to the hour; zero: never that we know
	Deregistered bool                                 `json:",omitempty"` // it is gone but for its snapshot, which was to stay
}

// UsableBy reports whether an account may see the AMI, and start instances of
// it unless it is disabled.
func (a AMI) UsableBy(account string) bool {
	switch {
	case a.Deregistered:
		return false
	case a.Account == account || a.Account == ManagedAccount:
		return true
	}
	p := a.Permission
	return p != nil && (slices.Contains(p.UserIds, account) || a.IsPublic())
}

// IsPublic reports whether every account may use the AMI.
func (a AMI) IsPublic() bool {
	return a.Permission != nil && slices.Contains(a.Permission.UserGroups, "all")
}

// State is the state of the AMI in a word, for people.
func (a AMI) State() string {
	switch {
	case a.Deregistered:
		return "deregistered"
	case a.Disabled:
		return "disabled"
	case !a.Deprecated.IsZero():
		return "deprecated"
	}
	return "available"
}

// CheckLaunch refuses to start an instance of a disabled AMI, or to copy it.
func (a AMI) CheckLaunch() error {
	if !a.Disabled {
		return nil
	}
	return Errorf(CodeRequest, "The AMI '%s' is disabled: nothing can be made from it. Make its image AVAILABLE again, with its AMIs, first.", a.ID)
}

// The tag of an AMI that a lifecycle action has deprecated. Source: lifecycle.md §3.
const (
	tagDeprecatedBy   = "DeprecatedBy"
	deprecatedByValue = "EC2 Image Builder"
)

// Deprecate marks the AMI as deprecated since a time. It can be launched.
func (a *AMI) Deprecate(since time.Time) {
	a.Enable()
	a.Deprecated = since.UTC()
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	a.Tags[tagDeprecatedBy] = deprecatedByValue
}

// Disable makes the AMI private and keeps instances from being started of it.
func (a *AMI) Disable() {
	a.Enable()
	a.Disabled, a.Permission = true, nil
}

// Enable takes back [AMI.Deprecate] and [AMI.Disable], but for the shares that
// the latter has ended.
func (a *AMI) Enable() {
	a.Deprecated, a.Disabled = time.Time{}, false
	if a.Tags[tagDeprecatedBy] == deprecatedByValue {
		delete(a.Tags, tagDeprecatedBy)
	}
}

// Fresh is the AMI without what became of it since it was registered: a model
// for one that starts as it does.
func (a AMI) Fresh() AMI {
	a.Permission, a.Licenses = nil, nil
	a.Deprecated, a.Disabled, a.Launched, a.Deregistered = time.Time{}, false, time.Time{}, false
	return a
}

// launchedPrecision is how exactly launches are remembered: a record is not
// written for each of many. Source: lifecycle.md §2.3 allows 24 hours.
const launchedPrecision = time.Hour

// NoteLaunch remembers that an instance of the AMI is started now.
func NoteLaunch(ctx context.Context, amis AMIStore, ami AMI, now time.Time) error {
	if now.Sub(ami.Launched) < launchedPrecision {
		return nil
	}
	err := amis.UpdateAMI(ctx, ami.Scope, ami.ID, func(a *AMI) { a.Launched = now.UTC() })
	if ErrorCode(err) == CodeNotFound {
		return nil // somebody deregistered it meanwhile
	}
	return err
}

// AMIStore holds the AMIs of all regions. Register is idempotent: the same id
// with the same snapshot again does nothing; with another one it is CodeExists.
// List with an empty account lists those of all accounts in the region: what is
// in no such list may be swept away. Find, Update and Delete return CodeNotFound.
// Those that are deregistered but for their snapshot are in lists only, and can
// be deleted.
type AMIStore interface {
	RegisterAMI(ctx context.Context, ami AMI) error
	FindAMI(ctx context.Context, scope Scope, id string) (AMI, error)               // one that the account may use
	FindAMINamed(ctx context.Context, scope Scope, name string) (AMI, error)        // one of the account's own
	UpdateAMI(ctx context.Context, scope Scope, id string, change func(*AMI)) error // Scope, ID and Snapshot do not change
	ListAMIs(ctx context.Context, scope Scope) ([]AMI, error)
	// AMIsOfSnapshot are up to limit AMIs of all accounts that have the snapshot.
	AMIsOfSnapshot(ctx context.Context, region, snapshot string, limit int) ([]AMI, error)
	DeleteAMI(ctx context.Context, scope Scope, id string) (AMI, error) // returns what it was
}
