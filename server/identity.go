package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/api/iam"
	"ingot.dev/ingot/audit"
)

// partition is that of all ARNs made here.
const partition = "aws"

// handleIdentity registers the commands on who may use the API.
func (s *Server) handleIdentity(h *admin.Handler) {
	handleChange(s, h, "account/create", s.createAccount)
	admin.Handle(h, "account/list", s.listAccounts)
	handleChange(s, h, "principal/create", s.createPrincipal)
	admin.Handle(h, "principal/list", s.listPrincipals)
	handleChange(s, h, "principal/remove", s.removePrincipal)
	handleChange(s, h, "key/create", s.createKey)
	admin.Handle(h, "key/list", s.listKeys)
	handleChange(s, h, "key/enable", s.enableKey)
	handleChange(s, h, "key/remove", s.removeKey)
	handleChange(s, h, "session/create", s.createSession)
	handleChange(s, h, "policy/attach", s.attachPolicy)
	admin.Handle(h, "policy/list", s.listPolicies)
	handleChange(s, h, "policy/detach", s.detachPolicy)
}

// handleChange registers a command that changes who may use the API: it is in
// the audit log as requests are.
func handleChange[In, Out any](s *Server, h *admin.Handler, name string, f func(context.Context, In, admin.Send) (Out, error)) {
	admin.Handle(h, name, func(ctx context.Context, in In, send admin.Send) (Out, error) {
		out, err := f(ctx, in, send)
		if s.audit == nil {
			return out, err
		}
		e, recordErr := commandEvent(name, in, out, err)
		if recordErr == nil {
			recordErr = s.audit.Record(e)
		}
		if recordErr != nil { // it has happened: see api.Server for requests
			s.Log.Error("command not in the audit log", slog.String("command", name), slog.Any("error", recordErr))
		}
		return out, err
	})
}

// commandEvent is a command of whoever may open the server's socket. Of what
// came of it, only the id of a new key is told: the rest may be a secret.
func commandEvent(name string, in, out any, err error) (audit.Event, error) {
	e := audit.Event{
		Version: "1.11", UserIdentity: audit.Identity{Type: "Operator"}, Time: time.Now().UTC().Truncate(time.Second),
		Source: "ingot", Name: name, SourceIPAddress: "local", RequestID: uuid.NewString(), EventID: uuid.NewString(),
		Type: "IngotCommand", ManagementEvent: true, Category: "Management",
	}
	if err != nil {
		e.ErrorCode, e.ErrorMessage = string(ingot.ErrorCode(err)), err.Error()
	}
	data, failed := json.Marshal(in)
	if failed == nil {
		failed = json.Unmarshal(data, &e.RequestParameters)
	}
	if k, ok := out.(admin.Secrets); ok && k.AccessKeyID != "" && failed == nil {
		e.ResponseElements, failed = json.Marshal(map[string]string{"accessKeyId": k.AccessKeyID})
	}
	return e, failed
}

func (s *Server) createAccount(ctx context.Context, in admin.AccountName, _ admin.Send) (admin.Account, error) {
	a := ingot.Account{ID: in.ID, Name: in.Name, Created: time.Now().UTC()}
	err := s.db.Write(ctx, func(tx ingot.Tx) error { return ingot.CreateAccount(ctx, tx, a) })
	return admin.Account(a), err
}

func (s *Server) listAccounts(ctx context.Context, _ admin.None, _ admin.Send) ([]admin.Account, error) {
	accounts, err := s.db.Accounts(ctx)
	list := make([]admin.Account, 0, len(accounts))
	for _, a := range accounts {
		list = append(list, admin.Account(a))
	}
	return list, err
}

func nameOf(p admin.PrincipalName) ingot.PrincipalName {
	return ingot.PrincipalName{Account: p.Account, Kind: ingot.PrincipalKind(p.Kind), Name: p.Name}
}

func (s *Server) createPrincipal(ctx context.Context, in admin.PrincipalName, _ admin.Send) (admin.Principal, error) {
	var p ingot.Principal
	err := s.db.Write(ctx, func(tx ingot.Tx) (err error) {
		p, err = ingot.CreatePrincipal(ctx, tx, nameOf(in), in.Tags, time.Now().UTC())
		return err
	})
	if err != nil {
		return admin.Principal{}, err
	}
	return s.principal(ctx, p)
}

// principal is a user or role as commands show it.
func (s *Server) principal(ctx context.Context, p ingot.Principal) (admin.Principal, error) {
	policies, err := s.db.IdentityPolicies(ctx, p.PrincipalName)
	if err != nil {
		return admin.Principal{}, err
	}
	out := admin.Principal{
		Account: p.Account, Kind: string(p.Kind), Name: p.Name, ID: p.ID, ARN: p.ARN(partition),
		Tags: p.Tags, Policies: []string{}, Created: p.Created,
	}
	for _, policy := range policies {
		out.Policies = append(out.Policies, policy.Name)
	}
	return out, nil
}

func (s *Server) listPrincipals(ctx context.Context, in admin.PrincipalName, _ admin.Send) ([]admin.Principal, error) {
	if _, err := s.db.Account(ctx, in.Account); err != nil {
		return nil, err
	}
	principals, err := s.db.Principals(ctx, in.Account, ingot.PrincipalKind(in.Kind))
	if err != nil {
		return nil, err
	}
	list := make([]admin.Principal, 0, len(principals))
	for _, p := range principals {
		shown, err := s.principal(ctx, p)
		if err != nil {
			return nil, err
		}
		list = append(list, shown)
	}
	return list, nil
}

func (s *Server) removePrincipal(ctx context.Context, in admin.PrincipalName, _ admin.Send) (admin.None, error) {
	name := nameOf(in)
	if name == (ingot.PrincipalName{Account: s.Account, Kind: ingot.PrincipalUser, Name: ingot.Administrator}) {
		return admin.None{}, ingot.Errorf(ingot.CodeInUse, "%s: its key is the one of the credentials file, with which commands reach the server", name)
	}
	return admin.None{}, s.db.Write(ctx, func(tx ingot.Tx) error { return tx.DeletePrincipal(ctx, name) })
}

// secretsOf is a new key for whoever asked for it; nothing shows it again.
func secretsOf(k ingot.AccessKey) admin.Secrets {
	out := admin.Secrets{Version: 1, AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
	if k.IsSession() {
		out.Expiration = &k.Expires
	}
	return out
}

func (s *Server) createKey(ctx context.Context, in admin.PrincipalName, _ admin.Send) (admin.Secrets, error) {
	var k ingot.AccessKey
	err := s.db.Write(ctx, func(tx ingot.Tx) (err error) {
		k, err = ingot.CreateAccessKey(ctx, tx, nameOf(in), time.Now().UTC())
		return err
	})
	if err != nil {
		return admin.Secrets{}, err
	}
	return secretsOf(k), nil
}

func (s *Server) createSession(ctx context.Context, in admin.SessionCreate, _ admin.Send) (admin.Secrets, error) {
	var k ingot.AccessKey
	err := s.db.Write(ctx, func(tx ingot.Tx) (err error) {
		// In whole seconds, as clients read the time of expiry.
		now := time.Now().UTC().Truncate(time.Second)
		k, err = ingot.CreateSession(ctx, tx, nameOf(in.Holder), in.Name, time.Duration(in.Seconds)*time.Second, now)
		return err
	})
	if err != nil {
		return admin.Secrets{}, err
	}
	return secretsOf(k), nil
}

func (s *Server) listKeys(ctx context.Context, in admin.PrincipalName, _ admin.Send) ([]admin.Key, error) {
	if _, err := s.db.Principal(ctx, nameOf(in)); err != nil {
		return nil, err
	}
	keys, err := s.db.AccessKeys(ctx, nameOf(in))
	list := make([]admin.Key, 0, len(keys))
	for _, k := range keys {
		list = append(list, keyOf(k, time.Now()))
	}
	return list, err
}

func keyOf(k ingot.AccessKey, now time.Time) admin.Key {
	out := admin.Key{
		ID: k.ID, Account: k.Holder.Account, Holder: string(k.Holder.Kind) + "/" + k.Holder.Name,
		Status: "enabled", Session: k.Session, Created: k.Created,
	}
	if k.IsSession() {
		out.Expires = &k.Expires
	}
	switch {
	case k.IsSession() && !now.Before(k.Expires):
		out.Status = "expired"
	case k.Disabled:
		out.Status = "disabled"
	}
	return out
}

func (s *Server) enableKey(ctx context.Context, in admin.KeyEnable, _ admin.Send) (admin.None, error) {
	return admin.None{}, s.db.Write(ctx, func(tx ingot.Tx) error { return ingot.EnableAccessKey(ctx, tx, in.ID, in.Enabled) })
}

func (s *Server) removeKey(ctx context.Context, in admin.KeyName, _ admin.Send) (admin.None, error) {
	if in.ID == s.Key.ID {
		return admin.None{}, ingot.Errorf(ingot.CodeInUse, "access key %s is the one of the credentials file: stop the server and remove that file to have a new one made", in.ID)
	}
	return admin.None{}, s.db.Write(ctx, func(tx ingot.Tx) error { return tx.DeleteAccessKey(ctx, in.ID) })
}

func (s *Server) attachPolicy(ctx context.Context, in admin.PolicyAttach, _ admin.Send) (admin.Principal, error) {
	if _, err := iam.ParseIdentity(in.Policy.Document); err != nil {
		return admin.Principal{}, ingot.Errorf(ingot.CodeInvalid, "policy %s: %w", in.Policy.Name, err)
	}
	to := nameOf(in.To)
	err := s.db.Write(ctx, func(tx ingot.Tx) error { return ingot.AttachPolicy(ctx, tx, to, ingot.IdentityPolicy(in.Policy)) })
	if err != nil {
		return admin.Principal{}, err
	}
	return s.showPrincipal(ctx, to)
}

func (s *Server) showPrincipal(ctx context.Context, name ingot.PrincipalName) (admin.Principal, error) {
	p, err := s.db.Principal(ctx, name)
	if err != nil {
		return admin.Principal{}, err
	}
	return s.principal(ctx, p)
}

func (s *Server) listPolicies(ctx context.Context, in admin.PrincipalName, _ admin.Send) ([]admin.Policy, error) {
	if _, err := s.db.Principal(ctx, nameOf(in)); err != nil {
		return nil, err
	}
	policies, err := s.db.IdentityPolicies(ctx, nameOf(in))
	list := make([]admin.Policy, 0, len(policies))
	for _, p := range policies {
		list = append(list, admin.Policy(p))
	}
	return list, err
}

func (s *Server) detachPolicy(ctx context.Context, in admin.PolicyDetach, _ admin.Send) (admin.Principal, error) {
	from := nameOf(in.From)
	if err := s.db.Write(ctx, func(tx ingot.Tx) error { return tx.DeleteIdentityPolicy(ctx, from, in.Name) }); err != nil {
		return admin.Principal{}, err
	}
	return s.showPrincipal(ctx, from)
}
