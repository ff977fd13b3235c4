package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

// user and role are principals of the account of scope.
func user(name string) ingot.PrincipalName {
	return ingot.PrincipalName{Account: scope.Account, Kind: ingot.PrincipalUser, Name: name}
}

func role(name string) ingot.PrincipalName {
	return ingot.PrincipalName{Account: scope.Account, Kind: ingot.PrincipalRole, Name: name}
}

// withPrincipals makes the account of scope and some principals.
func withPrincipals(t *testing.T, s ingot.Store, names ...ingot.PrincipalName) {
	t.Helper()
	write(t, s, func(tx ingot.Tx) error {
		if err := ingot.CreateAccount(t.Context(), tx, ingot.Account{ID: scope.Account, Name: "main", Created: noon}); err != nil {
			return err
		}
		for _, n := range names {
			if _, err := ingot.CreatePrincipal(t.Context(), tx, n, nil, noon); err != nil {
				return err
			}
		}
		return nil
	})
}

// refused runs f in a transaction that must fail with a code.
func refused(t *testing.T, s ingot.Store, doing string, want ingot.Code, f func(ingot.Tx) error) {
	t.Helper()
	wantCode(t, doing, s.Write(t.Context(), f), want)
}

func accounts(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	other := ingot.Account{ID: "000011112222", Name: "other", Created: noon}
	withPrincipals(t, s)
	write(t, s, func(tx ingot.Tx) error { return tx.CreateAccount(ctx, other) })
	got, err := s.Accounts(ctx)
	want := []ingot.Account{other, {ID: scope.Account, Name: "main", Created: noon}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Accounts (-want +got): %v\n%s", err, diff)
	}
	if got, err := s.Account(ctx, other.ID); got != other || err != nil {
		t.Errorf("Account = %+v, %v", got, err)
	}
	_, err = s.Account(ctx, "999999999999")
	wantCode(t, "Account of an unknown id", err, ingot.CodeNotFound)
	for doing, c := range map[string]struct {
		account ingot.Account
		want    ingot.Code
	}{
		"CreateAccount with a known id":     {ingot.Account{ID: other.ID, Name: "third"}, ingot.CodeExists},
		"CreateAccount with a known name":   {ingot.Account{ID: "333333333333", Name: "main"}, ingot.CodeExists},
		"CreateAccount with eleven digits":  {ingot.Account{ID: "33333333333", Name: "third"}, ingot.CodeInvalid},
		"CreateAccount without a good name": {ingot.Account{ID: "333333333333", Name: "-"}, ingot.CodeInvalid},
	} {
		refused(t, s, doing, c.want, func(tx ingot.Tx) error { return ingot.CreateAccount(ctx, tx, c.account) })
	}
}

func principals(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	withPrincipals(t, s, user("bob"), role("bob"))
	var ann ingot.Principal
	write(t, s, func(tx ingot.Tx) (err error) {
		ann, err = ingot.CreatePrincipal(ctx, tx, user("ann"), map[string]string{"team": "web"}, noon)
		return err
	})
	if got, err := s.Principal(ctx, user("ann")); err != nil || cmp.Diff(ann, got) != "" {
		t.Errorf("Principal = %+v, %v, want %+v", got, err, ann)
	}
	names := func(kind ingot.PrincipalKind) (names []string) {
		list, err := s.Principals(ctx, scope.Account, kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			names = append(names, p.Name)
		}
		return names
	}
	if users, roles := names(ingot.PrincipalUser), names(ingot.PrincipalRole); !slices.Equal(users, []string{"ann", "bob"}) || !slices.Equal(roles, []string{"bob"}) {
		t.Errorf("Principals = %v and %v", users, roles)
	}
	refused(t, s, "CreatePrincipal with a known name", ingot.CodeExists, func(tx ingot.Tx) error { return tx.CreatePrincipal(ctx, ann) })
	refused(t, s, "CreatePrincipal with a blank", ingot.CodeInvalid, func(tx ingot.Tx) error {
		_, err := ingot.CreatePrincipal(ctx, tx, user("a b"), nil, noon)
		return err
	})
	refused(t, s, "CreatePrincipal without its account", ingot.CodeNotFound, func(tx ingot.Tx) error {
		_, err := ingot.CreatePrincipal(ctx, tx, ingot.PrincipalName{Account: "999999999999", Kind: ingot.PrincipalUser, Name: "ann"}, nil, noon)
		return err
	})
	write(t, s, func(tx ingot.Tx) error {
		if err := tx.PutIdentityPolicy(ctx, user("ann"), ingot.IdentityPolicy{Name: "p", Document: "{}"}); err != nil {
			return err
		}
		return tx.PutAccessKey(ctx, ingot.AccessKey{ID: "AKIA1", Secret: "s", Holder: user("ann"), Created: noon})
	})
	write(t, s, func(tx ingot.Tx) error { return tx.DeletePrincipal(ctx, user("ann")) })
	_, err := s.AccessKey(ctx, "AKIA1")
	wantCode(t, "AccessKey after its user", err, ingot.CodeNotFound)
	if policies, err := s.IdentityPolicies(ctx, user("ann")); err != nil || len(policies) != 0 {
		t.Errorf("IdentityPolicies after their user = %v, %v", policies, err)
	}
	refused(t, s, "DeletePrincipal again", ingot.CodeNotFound, func(tx ingot.Tx) error { return tx.DeletePrincipal(ctx, user("ann")) })
}

func identityPolicies(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	withPrincipals(t, s, user("ann"), user("bob"))
	attach := func(name, document string) func(ingot.Tx) error {
		return func(tx ingot.Tx) error {
			return ingot.AttachPolicy(ctx, tx, user("ann"), ingot.IdentityPolicy{Name: name, Document: document})
		}
	}
	write(t, s, attach("b", "1"))
	write(t, s, attach("a", "2"))
	write(t, s, attach("b", "3"))
	got, err := s.IdentityPolicies(ctx, user("ann"))
	if diff := cmp.Diff([]ingot.IdentityPolicy{{Name: "a", Document: "2"}, {Name: "b", Document: "3"}}, got); diff != "" || err != nil {
		t.Errorf("IdentityPolicies (-want +got): %v\n%s", err, diff)
	}
	if got, err := s.IdentityPolicies(ctx, user("bob")); err != nil || len(got) != 0 {
		t.Errorf("IdentityPolicies of another user = %v, %v", got, err)
	}
	for _, name := range []string{"c", "d", "e", "f", "g", "h", "i", "j"} {
		write(t, s, attach(name, "4"))
	}
	refused(t, s, "an eleventh policy", ingot.CodeQuota, attach("k", "5"))
	write(t, s, attach("j", "5")) // one that is there may change
	refused(t, s, "a policy of nobody", ingot.CodeNotFound, func(tx ingot.Tx) error {
		return ingot.AttachPolicy(ctx, tx, user("nobody"), ingot.IdentityPolicy{Name: "a", Document: "1"})
	})
	refused(t, s, "a policy with a bad name", ingot.CodeInvalid, attach("a/b", "1"))
	write(t, s, func(tx ingot.Tx) error { return tx.DeleteIdentityPolicy(ctx, user("ann"), "a") })
	refused(t, s, "DeleteIdentityPolicy again", ingot.CodeNotFound, func(tx ingot.Tx) error { return tx.DeleteIdentityPolicy(ctx, user("ann"), "a") })
}

func accessKeys(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	withPrincipals(t, s, user("ann"), role("build"), user(ingot.Administrator))
	create := func(holder ingot.PrincipalName) (k ingot.AccessKey, err error) {
		err = s.Write(ctx, func(tx ingot.Tx) error {
			k, err = ingot.CreateAccessKey(ctx, tx, holder, noon)
			return err
		})
		return k, err
	}
	first, err := create(user("ann"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.AccessKey(ctx, first.ID); err != nil || got != first || len(got.Secret) != 40 {
		t.Errorf("AccessKey = %+v, %v, want %+v", got, err, first)
	}
	second, err := create(user("ann"))
	if err != nil || second.ID == first.ID || second.Secret == first.Secret {
		t.Errorf("a second key is %+v, %v", second, err)
	}
	for holder, want := range map[ingot.PrincipalName]ingot.Code{
		user("ann"): ingot.CodeQuota, user("nobody"): ingot.CodeNotFound, role("build"): ingot.CodeInvalid, user(ingot.Administrator): ingot.CodeInvalid,
	} {
		_, err := create(holder)
		wantCode(t, "CreateAccessKey of "+holder.String(), err, want)
	}
	write(t, s, func(tx ingot.Tx) error { return ingot.EnableAccessKey(ctx, tx, first.ID, false) })
	if got, err := s.AccessKey(ctx, first.ID); err != nil || !got.Disabled || got.Secret != first.Secret {
		t.Errorf("a disabled key is %+v, %v", got, err)
	}
	write(t, s, func(tx ingot.Tx) error { return tx.DeleteAccessKey(ctx, first.ID) })
	if list, err := s.AccessKeys(ctx, user("ann")); err != nil || len(list) != 1 || list[0] != second {
		t.Errorf("AccessKeys = %+v, %v, want the second", list, err)
	}
	refused(t, s, "DeleteAccessKey again", ingot.CodeNotFound, func(tx ingot.Tx) error { return tx.DeleteAccessKey(ctx, first.ID) })
	refused(t, s, "EnableAccessKey of one that is gone", ingot.CodeNotFound, func(tx ingot.Tx) error { return ingot.EnableAccessKey(ctx, tx, first.ID, true) })
}

func sessions(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	withPrincipals(t, s, user("ann"), role("build"))
	create := func(holder ingot.PrincipalName, name string, life time.Duration, now time.Time) (k ingot.AccessKey, err error) {
		err = s.Write(ctx, func(tx ingot.Tx) error {
			k, err = ingot.CreateSession(ctx, tx, holder, name, life, now)
			return err
		})
		return k, err
	}
	first, err := create(role("build"), "ci", time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.AccessKey(ctx, first.ID); err != nil || got != first || !got.IsSession() || !got.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("AccessKey of a session = %+v, %v, want %+v", got, err, first)
	}
	if _, err := create(user("ann"), "laptop", ingot.MinSession, noon); err != nil {
		t.Errorf("a session of a user: %v", err)
	}
	for _, c := range []struct {
		holder ingot.PrincipalName
		name   string
		life   time.Duration
		want   ingot.Code
	}{
		{role("build"), "x", time.Hour, ingot.CodeInvalid},
		{role("build"), "a/b", time.Hour, ingot.CodeInvalid},
		{role("build"), "ci", ingot.MinSession - 1, ingot.CodeInvalid},
		{role("build"), "ci", ingot.MaxSession + 1, ingot.CodeInvalid},
		{role("none"), "ci", time.Hour, ingot.CodeNotFound},
	} {
		_, err := create(c.holder, c.name, c.life, noon)
		wantCode(t, "CreateSession "+c.name+" of "+c.holder.String(), err, c.want)
	}
	// An expired one is known for a day.
	if _, err := create(role("build"), "ci", time.Hour, noon.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AccessKey(ctx, first.ID); err != nil {
		t.Errorf("a session that expired a day ago is gone: %v", err)
	}
	if _, err := create(role("build"), "ci", time.Hour, noon.Add(26*time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err = s.AccessKey(ctx, first.ID)
	wantCode(t, "a session that expired before yesterday", err, ingot.CodeNotFound)
}

// administrator keeps the key of the credentials file the only one.
func administrator(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	put := func(k ingot.AccessKey) {
		t.Helper()
		k.Created = noon
		write(t, s, func(tx ingot.Tx) error { return ingot.PutAdministrator(ctx, tx, scope.Account, k) })
	}
	keys := func() []ingot.AccessKey {
		t.Helper()
		list, err := s.AccessKeys(ctx, user(ingot.Administrator))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	put(ingot.AccessKey{ID: "AKIA1", Secret: "one"})
	if _, err := s.Account(ctx, scope.Account); err != nil {
		t.Errorf("the first start made no account: %v", err)
	}
	write(t, s, func(tx ingot.Tx) error { return ingot.EnableAccessKey(ctx, tx, "AKIA1", false) })
	put(ingot.AccessKey{ID: "AKIA1", Secret: "changed"})
	if list := keys(); len(list) != 1 || list[0].Secret != "changed" || !list[0].Disabled {
		t.Errorf("after the same key again: %+v, want it as the file has it, and disabled", list)
	}
	put(ingot.AccessKey{ID: "AKIA2", Secret: "two"})
	if list := keys(); len(list) != 1 || list[0].ID != "AKIA2" || list[0].Disabled {
		t.Errorf("after another key: %+v, want only AKIA2, enabled", list)
	}
}

func identityVersion(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	withPrincipals(t, s, user("ann"))
	at := s.IdentityVersion()
	write(t, s, func(tx ingot.Tx) error { return tx.Create(ctx, record(t, "image/demo/1.0.0/1")) })
	if got := s.IdentityVersion(); got != at {
		t.Error("a resource changed the version of identities")
	}
	for doing, f := range map[string]func(tx ingot.Tx) error{
		"PutAccessKey": func(tx ingot.Tx) error {
			return tx.PutAccessKey(ctx, ingot.AccessKey{ID: "AKIA1", Holder: user("ann"), Created: noon})
		},
		"PutIdentityPolicy": func(tx ingot.Tx) error {
			return tx.PutIdentityPolicy(ctx, user("ann"), ingot.IdentityPolicy{Name: "p"})
		},
	} {
		before := s.IdentityVersion()
		write(t, s, f)
		if s.IdentityVersion() == before {
			t.Errorf("%s left the version of identities", doing)
		}
	}
	for doing, f := range map[string]func(tx ingot.Tx) error{
		"DeleteIdentityPolicy": func(tx ingot.Tx) error { return tx.DeleteIdentityPolicy(ctx, user("ann"), "p") },
		"DeleteAccessKey":      func(tx ingot.Tx) error { return tx.DeleteAccessKey(ctx, "AKIA1") },
	} {
		before := s.IdentityVersion()
		write(t, s, f)
		if s.IdentityVersion() == before {
			t.Errorf("%s left the version of identities", doing)
		}
	}
	before := s.IdentityVersion()
	write(t, s, func(tx ingot.Tx) error { return tx.DeletePrincipal(ctx, user("ann")) })
	if s.IdentityVersion() == before {
		t.Error("DeletePrincipal left the version of identities")
	}
}

// sharedWithAnAccount: what accounts are let see is found as their own is.
func sharedWithAnAccount(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	shared := func(tail string, gets, lists bool) ingot.Record {
		r := record(t, tail)
		if gets {
			r.Shares[ingot.ShareGet] = []string{consumer}
		}
		if lists {
			r.Shares[ingot.ShareList] = []string{consumer}
		}
		return r
	}
	create(t, s, shared("component/tool/1.0.0/1", true, true), shared("component/tool/1.0.0/2", false, true),
		record(t, "component/tool/1.0.0/3"), shared("component/tool/1.2.0/1", true, false), record(t, "component/tool/2.0.0/1"))
	stranger := ingot.Scope{Account: consumer, Region: scope.Region}
	for ask, want := range map[string]string{
		"component/tool/x.x.x":   "component/tool/1.2.0/1",
		"component/tool/1.0.0":   "component/tool/1.0.0/1",
		"component/tool/1.0.0/1": "component/tool/1.0.0/1",
		"component/tool/1.0.0/2": "",
		"component/tool/1.0.0/3": "",
		"component/tool/2.x.x":   "",
	} {
		got, err := ingot.Find(ctx, s, consumer, arn(t, ask))
		if want == "" {
			wantCode(t, "Find "+ask, err, ingot.CodeNotFound)
		} else if err != nil || tail(got.ARN) != want {
			t.Errorf("Find %s = %s, %v, want %s", ask, got.ARN, err, want)
		}
	}
	q := ingot.Query{Scope: stranger, Shared: ingot.ShareList, Kind: ingot.KindComponent, Limit: 1}
	if diff := cmp.Diff([]string{"component/tool/1.0.0/2", "component/tool/1.0.0/1"}, all(ctx, t, s, q)); diff != "" {
		t.Errorf("what is listed for the account (-want +got):\n%s", diff)
	}
	q.Collapse = ingot.Names
	if diff := cmp.Diff([]string{"component/tool/1.0.0/2"}, all(ctx, t, s, q)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	write(t, s, func(tx ingot.Tx) error {
		return ingot.PutPolicy(ctx, tx, arn(t, "component/tool/1.0.0/2"), ingot.ResourcePolicy{})
	})
	if diff := cmp.Diff([]string{"component/tool/1.0.0/1"}, all(ctx, t, s, q)); diff != "" {
		t.Errorf("after the sharing of build 2 has ended (-want +got):\n%s", diff)
	}
	other := q
	other.Scope.Account = "333344445555"
	if got := all(ctx, t, s, other); got != nil {
		t.Errorf("a third account is shown %v", got)
	}
}

// foreignReferences do not keep an owner from deleting what is its own.
func foreignReferences(t *testing.T, s ingot.Store) {
	component := record(t, "component/tool/1.0.0/1")
	recipe := record(t, "image-recipe/web/1.0.0")
	recipe.ARN.Account = consumer
	recipe.References = []string{component.ARN.String()}
	create(t, s, component, recipe)
	got, err := s.Get(t.Context(), recipe.ARN)
	if diff := cmp.Diff(recipe.References, got.References); diff != "" || err != nil {
		t.Errorf("references of the recipe (-want +got): %v\n%s", err, diff)
	}
	users, err := s.Referrers(t.Context(), 5, component.ARN)
	if len(users) != 0 || err != nil {
		t.Errorf("Referrers = %v, %v, want none of another account", users, err)
	}
}
