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
}

// UsableBy reports whether an account may start instances of the AMI.
func (a AMI) UsableBy(account string) bool {
	if a.Account == account || a.Account == ManagedAccount {
		return true
	}
	p := a.Permission
	return p != nil && (slices.Contains(p.UserIds, account) || slices.Contains(p.UserGroups, "all"))
}

// AMIStore holds the AMIs of all regions. Register is idempotent: the same id
// with the same snapshot again does nothing; with another one it is CodeExists.
// List with an empty account lists those of all accounts in the region: what is
// in no such list may be swept away. Find, Update and Delete return CodeNotFound.
type AMIStore interface {
	RegisterAMI(ctx context.Context, ami AMI) error
	FindAMI(ctx context.Context, scope Scope, id string) (AMI, error)               // one that the account may use
	FindAMINamed(ctx context.Context, scope Scope, name string) (AMI, error)        // one of the account's own
	UpdateAMI(ctx context.Context, scope Scope, id string, change func(*AMI)) error // Scope, ID and Snapshot do not change
	ListAMIs(ctx context.Context, scope Scope) ([]AMI, error)
	DeleteAMI(ctx context.Context, scope Scope, id string) error
}
