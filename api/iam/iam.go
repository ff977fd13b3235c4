// Package iam decides whether a caller may perform an action on a resource.
//
// Policies are documents of the vendor's policy language. An identity policy
// is attached to a caller, a resource policy to a resource:
//
//	{"Version": "2012-10-17", "Statement": [{
//	    "Effect": "Allow", "Action": "imagebuilder:Get*",
//	    "Resource": "arn:aws:imagebuilder:*:*:component/${aws:username}-*/*",
//	    "Condition": {"StringEquals": {"aws:ResourceTag/team": "web"}}}]}
//
// The rules, in the order in which they decide:
//
//  1. A Deny that applies, in any policy, wins.
//  2. Inside an account an Allow of either side is enough. An Allow whose
//     principal is the account delegates to the account's identity policies and
//     is not enough by itself.
//  3. Across accounts both sides must allow: an identity policy of the caller,
//     and the resource policy of the owner.
//  4. Everything else is denied.
//
// Where the public rules leave a statement's meaning open, the reading that
// grants less is taken: what is in doubt keeps an Allow from applying and does
// not keep a Deny from it. The places are marked Choice.
//
// The package knows no HTTP and no store: whoever calls it loads the policies
// and fills in the condition keys. What it has parsed is never changed again,
// so policies and subjects may be kept and used by many requests at a time.
package iam

import (
	"fmt"
	"slices"
	"strings"

	"ingot.dev/ingot"
)

// Keys are the condition keys of a request and their values. Names are in
// lower case, since they are compared without case: fill it with Set. A key
// without values is the same as an absent one.
type Keys map[string][]string

// Set adds values to a key. Keys that differ in case only are one key.
func (k Keys) Set(name string, values ...string) {
	name = strings.ToLower(name)
	k[name] = append(k[name], values...)
}

// SetTags adds a key per tag, as in aws:RequestTag/team. The prefix is without
// its slash.
func (k Keys) SetTags(prefix string, tags map[string]string) {
	for name, value := range tags {
		k.Set(prefix+"/"+name, value)
	}
}

// Subject is a caller with what was granted to it. The zero value may do
// nothing.
type Subject struct {
	Principal Principal
	Policies  []*Policy // identity policies

	// Unrestricted subjects need no identity policy. They are the root of an
	// account, and an access key without any policy: api.md §9.2.
	Unrestricted bool

	keys Keys // aws:Principal…, never from the request
}

// NewSubject makes the subject of a principal. Tags are the principal's own,
// for aws:PrincipalTag. Without policies the subject is unrestricted.
func NewSubject(p Principal, tags map[string]string, policies ...*Policy) *Subject {
	s := &Subject{
		Principal: p, Policies: policies, keys: p.keys(),
		Unrestricted: len(policies) == 0 || p.kind == accountRoot,
	}
	s.keys.SetTags("aws:PrincipalTag", tags)
	return s
}

// Mentions reports whether a policy of the subject names actions of a service.
func (s *Subject) Mentions(service string) bool {
	return slices.ContainsFunc(s.Policies, func(p *Policy) bool { return p.Mentions(service) })
}

// Request is one action on one resource.
type Request struct {
	Subject  *Subject
	Action   string  // as in imagebuilder:GetComponent
	Resource string  // ARN, or "*" when the action is on no one resource
	Owner    string  // account of the resource; empty: the subject's
	Policy   *Policy // attached to the resource; nil: none
	Keys     Keys    // of the request and the resource, not of the principal
}

// Decision is the answer to a request and, if it is no, which policies gave it.
type Decision int

// The decisions. The zero value is a denial.
const (
	NoIdentityAllow Decision = iota // no identity policy allows it
	NoResourceAllow                 // the resource policy does not allow it
	IdentityDeny                    // an identity policy denies it
	ResourceDeny                    // the resource policy denies it
	Allowed
)

// Evaluate decides. Its cost is linear in the size of the policies times the
// length of the values they are compared with, whatever their patterns are.
func (r *Request) Evaluate() Decision {
	e := evaluation{Request: r, action: strings.ToLower(r.Action)}
	identity := grant{allow: r.Subject.Unrestricted}
	for _, p := range r.Subject.Policies {
		identity.add(e.identity(p))
	}
	resource := e.resource(r.Policy)
	foreign := r.Owner != "" && r.Owner != r.Subject.Principal.Account
	switch {
	case identity.deny:
		return IdentityDeny
	case resource.deny:
		return ResourceDeny
	case foreign && identity.allow && !resource.allow:
		return NoResourceAllow
	case identity.allow || !foreign && resource.direct:
		return Allowed
	}
	return NoIdentityAllow
}

// Authorize is Evaluate as an error: nil, or CodeDenied with the vendor's text.
func (r *Request) Authorize() error {
	d := r.Evaluate()
	if d == Allowed {
		return nil
	}
	return ingot.Errorf(ingot.CodeDenied, "User: %s is not authorized to perform: %s on resource: %s %s",
		r.Subject.Principal.ARN, r.Action, r.Resource, d.reason(r.Action))
}

// reason ends the message of a denial.
func (d Decision) reason(action string) string {
	switch d {
	case IdentityDeny:
		return "with an explicit deny in an identity-based policy"
	case ResourceDeny:
		return "with an explicit deny in a resource-based policy"
	case NoResourceAllow:
		return fmt.Sprintf("because no resource-based policy allows the %s action", action)
	default:
		return fmt.Sprintf("because no identity-based policy allows the %s action", action)
	}
}

// grant is what policies of one side say to a request.
type grant struct {
	deny, allow bool
	direct      bool // an Allow names the caller itself, not its account
}

func (g *grant) add(other grant) {
	g.deny = g.deny || other.deny
	g.allow = g.allow || other.allow
	g.direct = g.direct || other.direct
}

// evaluation is a request with what is computed once for all statements.
type evaluation struct {
	*Request
	action string // in lower case
}

func (e *evaluation) identity(p *Policy) (g grant) {
	for i := range p.Statements {
		if s := &p.Statements[i]; s.applies(e) {
			g.add(grant{deny: s.Effect == Deny, allow: s.Effect == Allow})
		}
	}
	return g
}

func (e *evaluation) resource(p *Policy) (g grant) {
	if p == nil {
		return g
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		who := s.names(e.Subject.Principal)
		if who == namesNobody || !s.applies(e) {
			continue
		}
		g.add(grant{deny: s.Effect == Deny, allow: s.Effect == Allow, direct: s.Effect == Allow && who == namesCaller})
	}
	return g
}

// values are those of a condition key. A key that the principal has is never
// the request's to state.
func (e *evaluation) values(key string) []string {
	if v := e.Subject.keys[key]; len(v) > 0 {
		return v
	}
	return e.Keys[key]
}
