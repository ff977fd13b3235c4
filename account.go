package ingot

import (
	"context"
	"regexp"
	"time"
)

// Account is a namespace of resources, with users, roles and keys of its own.
type Account struct {
	ID      string // twelve digits
	Name    string // for people, one to each account
	Created time.Time
}

// AccountReader reads accounts.
type AccountReader interface {
	// Account is CodeNotFound for an id that no account has.
	Account(ctx context.Context, id string) (Account, error)
	// Accounts are all accounts, by id.
	Accounts(ctx context.Context) ([]Account, error)
}

var (
	accountID   = regexp.MustCompile(`^[0-9]{12}$`)
	accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,49}$`)
)

// CreateAccount stores a new account. CodeExists if its id or name is taken.
func CreateAccount(ctx context.Context, tx IdentityWriter, a Account) error {
	switch {
	case !accountID.MatchString(a.ID):
		return Errorf(CodeInvalid, "account %q: an account has an id of twelve digits", a.ID)
	case !accountName.MatchString(a.Name):
		return Errorf(CodeInvalid, "account name %q: it has 1 to 50 letters, digits, blanks, dots, hyphens and underscores, and begins with a letter or digit", a.Name)
	}
	return tx.CreateAccount(ctx, a)
}
