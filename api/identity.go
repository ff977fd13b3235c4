package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/iam"
	"ingot.dev/ingot/api/sigv4"
)

// identity is whose an access key is, and what its policies say.
type identity struct {
	credential sigv4.Credential
	principal  ingot.Principal
	session    string // name of the session, if the key is of one
	subject    *iam.Subject
}

// identities finds the identity of an access key. It keeps what it has found
// until anything about identities changes in the store.
type identities struct {
	store     ingot.Store
	partition string

	mu      sync.RWMutex
	version int64 // of the store, that known belongs to
	known   map[string]*identity
}

// maxIdentities bounds what is kept; unknown keys are not.
const maxIdentities = 10_000

// find returns nil for a key that may not sign requests.
func (s *identities) find(ctx context.Context, accessKeyID string) (*identity, error) {
	version := s.store.IdentityVersion()
	s.mu.RLock()
	who := s.known[accessKeyID]
	current := s.version == version
	s.mu.RUnlock()
	if who != nil && current {
		return who, nil
	}
	who, err := s.load(ctx, accessKeyID)
	if who != nil {
		s.keep(version, accessKeyID, who)
	}
	return who, err
}

// keep remembers what was read after version was taken.
func (s *identities) keep(version int64, accessKeyID string, who *identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || version > s.version || len(s.known) >= maxIdentities {
		s.version, s.known = max(version, s.version), map[string]*identity{}
	}
	if version == s.version {
		s.known[accessKeyID] = who
	}
}

func (s *identities) load(ctx context.Context, accessKeyID string) (*identity, error) {
	key, err := s.store.AccessKey(ctx, accessKeyID)
	if ingot.ErrorCode(err) == ingot.CodeNotFound || err == nil && key.Disabled {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	who := &identity{session: key.Session}
	if who.principal, err = s.store.Principal(ctx, key.Holder); err != nil {
		return nil, err
	}
	if who.subject, err = s.subject(ctx, who); err != nil {
		return nil, err
	}
	who.credential = sigv4.Credential{
		AccessKeyID: key.ID, Secret: key.Secret, SessionToken: key.Token, Expires: key.Expires,
		Account: key.Holder.Account, Principal: who.subject.Principal.ARN,
	}
	return who, nil
}

// subject reads what was granted to an identity. A policy that cannot be read
// lets nobody in: it may hold a Deny.
func (s *identities) subject(ctx context.Context, who *identity) (*iam.Subject, error) {
	p, err := who.iamPrincipal(s.partition)
	if err != nil {
		return nil, err
	}
	stored, err := s.store.IdentityPolicies(ctx, who.principal.PrincipalName)
	if err != nil {
		return nil, err
	}
	var policies []*iam.Policy
	for _, document := range stored {
		policy, err := iam.ParseIdentity(document.Document)
		if err != nil {
			return nil, fmt.Errorf("reading policy %s of %s: %w", document.Name, who.principal.PrincipalName, err)
		}
		policies = append(policies, policy)
	}
	return iam.NewSubject(p, who.principal.Tags, policies...), nil
}

// iamPrincipal is who the key speaks for: a session of a role is a principal of
// its own, one of a user is the user.
func (w *identity) iamPrincipal(partition string) (iam.Principal, error) {
	arn, id := w.principal.ARN(partition), w.principal.ID
	if w.principal.Kind == ingot.PrincipalRole {
		arn = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", partition, w.principal.Account, w.principal.Name, w.session)
		id += ":" + w.session
	}
	p, err := iam.ParsePrincipal(arn)
	p.ID = id
	return p, err
}

// authenticate says whose request it is.
func (s *Server) authenticate(r *http.Request, body []byte, c *call) error {
	who, err := s.verifier.Verify(r, body)
	if err != nil {
		return err
	}
	c.identity, err = s.identities.find(r.Context(), who.AccessKeyID)
	if err != nil {
		return err
	}
	if c.identity == nil { // it was taken away since the lookup
		return &sigv4.Error{Type: sigv4.Unrecognized, Message: "The security token included in the request is invalid."}
	}
	c.Scope = ingot.Scope{Account: who.Account, Region: who.Region}
	c.Principal = who.Principal
	return nil
}

// credentials is the lookup of the verifier of signatures.
func (s *identities) credentials(ctx context.Context, accessKeyID string) (sigv4.Credential, bool, error) {
	who, err := s.find(ctx, accessKeyID)
	if who == nil || err != nil {
		return sigv4.Credential{}, false, err
	}
	return who.credential, true, nil
}
