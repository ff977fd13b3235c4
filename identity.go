package ingot

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
)

// PrincipalKind is what a principal is.
type PrincipalKind string

const (
	PrincipalUser PrincipalKind = "user"
	PrincipalRole PrincipalKind = "role"
)

// Administrator is the user of the server's own account whose access key is
// the one in the credentials file.
const Administrator = "administrator"

// PrincipalName names a user or a role of an account.
type PrincipalName struct {
	Account string
	Kind    PrincipalKind
	Name    string
}

// ARN is the name as policies and messages have it.
func (p PrincipalName) ARN(partition string) string {
	return "arn:" + partition + ":iam::" + p.Account + ":" + string(p.Kind) + "/" + p.Name
}

// String is the name for people.
func (p PrincipalName) String() string {
	return string(p.Kind) + " " + p.Name + " of account " + p.Account
}

// Principal is who holds access keys and has policies. One without policies
// may do everything in its account. Source: api.md §9.2.
type Principal struct {
	PrincipalName
	ID      string            // AIDA… or AROA…; of one principal only, ever
	Tags    map[string]string // aws:PrincipalTag; never nil when read
	Created time.Time
}

// IdentityPolicy is a document attached to a principal.
type IdentityPolicy struct {
	Name     string
	Document string // as it was written; parsed before it was stored
}

// IdentityReader reads who may use the API. Lists are in the order of names or
// ids and bounded by the limits of this file, so none has pages.
type IdentityReader interface {
	// Principal is CodeNotFound for a name that nobody has.
	Principal(ctx context.Context, name PrincipalName) (Principal, error)
	Principals(ctx context.Context, account string, kind PrincipalKind) ([]Principal, error)
	IdentityPolicies(ctx context.Context, of PrincipalName) ([]IdentityPolicy, error)
	// AccessKey is CodeNotFound for an unknown id.
	AccessKey(ctx context.Context, id string) (AccessKey, error)
	// AccessKeys are the keys of a principal and its sessions.
	AccessKeys(ctx context.Context, holder PrincipalName) ([]AccessKey, error)
}

// IdentityWriter changes who may use the API. It is one interface because
// these always go together with the readers above.
type IdentityWriter interface {
	// CreateAccount is CodeExists if the id or the name is taken.
	CreateAccount(ctx context.Context, a Account) error
	// CreatePrincipal is CodeExists if the name is taken, and CodeNotFound
	// without its account.
	CreatePrincipal(ctx context.Context, p Principal) error
	// DeletePrincipal removes it with its keys, sessions and policies.
	DeletePrincipal(ctx context.Context, name PrincipalName) error
	// PutIdentityPolicy attaches a policy, or replaces the one of that name.
	PutIdentityPolicy(ctx context.Context, of PrincipalName, p IdentityPolicy) error
	// DeleteIdentityPolicy is CodeNotFound if it is not attached.
	DeleteIdentityPolicy(ctx context.Context, of PrincipalName, name string) error
	// PutAccessKey stores a key, or replaces the one of that id.
	PutAccessKey(ctx context.Context, k AccessKey) error
	// DeleteAccessKey is CodeNotFound for an unknown id.
	DeleteAccessKey(ctx context.Context, id string) error
	// DeleteSessions removes sessions that expired before a time.
	DeleteSessions(ctx context.Context, before time.Time) error
}

// Limits of an account and of its principals.
const (
	maxPrincipals = 1000 // of a kind in an account
	maxPolicies   = 10   // of a principal, as in the vendor's service
)

var (
	principalName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	policyName    = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,128}$`)
)

// CreatePrincipal stores a new user or role.
func CreatePrincipal(ctx context.Context, tx Tx, name PrincipalName, tags map[string]string, now time.Time) (Principal, error) {
	if !principalName.MatchString(name.Name) {
		return Principal{}, Errorf(CodeInvalid, "%s name %q: it has 1 to 64 letters, digits and _+=,.@-", name.Kind, name.Name)
	}
	if err := CheckTags("tags", tags); err != nil {
		return Principal{}, err
	}
	have, err := tx.Principals(ctx, name.Account, name.Kind)
	if err != nil {
		return Principal{}, err
	}
	if len(have) >= maxPrincipals {
		return Principal{}, Errorf(CodeQuota, "account %s has %d %ss, which is the most it may have", name.Account, len(have), name.Kind)
	}
	prefix := map[PrincipalKind]string{PrincipalUser: "AIDA", PrincipalRole: "AROA"}[name.Kind]
	p := Principal{PrincipalName: name, ID: newID(prefix), Tags: tags, Created: now}
	return p, tx.CreatePrincipal(ctx, p)
}

// CheckRole checks that an account has the role that a member names, by its
// name or ARN. An account for which nobody made a role has whichever is named:
// it does not say who may do what. Source: api.md §1.5, §3.11.
func CheckRole(ctx context.Context, r IdentityReader, account, field, text string) error {
	if IsServiceRole(text) {
		return unusableRole(field, "'%s' is service-linked. Name a role of your own.", text)
	}
	roles, err := r.Principals(ctx, account, PrincipalRole)
	if err != nil || len(roles) == 0 {
		return err
	}
	name := text
	if parts := strings.Split(text, ":"); len(parts) > 1 {
		if len(parts) != 6 || parts[4] != account {
			return unusableRole(field, "'%s' is not the ARN of a role of the account %s.", text, account)
		}
		name = text[strings.LastIndex(text, "/")+1:] // a role may have a path
	}
	if !slices.ContainsFunc(roles, func(p Principal) bool { return p.Name == name }) {
		return unusableRole(field, "The account %s has no role '%s'. Name one that `ingot admin role list` shows, or make it.", account, name)
	}
	return nil
}

// unusableRole has the words that clients know. Source: api.md §1.5.
func unusableRole(field, format string, args ...any) error {
	return InvalidField(field, "The provided role does not exist or does not have sufficient permissions. "+format, args...)
}

// AttachPolicy attaches a checked policy to a principal, or replaces the one of
// that name.
func AttachPolicy(ctx context.Context, tx Tx, to PrincipalName, p IdentityPolicy) error {
	if !policyName.MatchString(p.Name) {
		return Errorf(CodeInvalid, "policy name %q: it has 1 to 128 letters, digits and _+=,.@-", p.Name)
	}
	if _, err := tx.Principal(ctx, to); err != nil {
		return err
	}
	have, err := tx.IdentityPolicies(ctx, to)
	if err != nil {
		return err
	}
	others := 0
	for _, h := range have {
		if h.Name != p.Name {
			others++
		}
	}
	if others >= maxPolicies {
		return Errorf(CodeQuota, "%s has %d policies, which is the most it may have: detach one first", to, others)
	}
	return tx.PutIdentityPolicy(ctx, to, p)
}
