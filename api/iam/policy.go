package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of policies. The vendor counts no white space in an identity policy;
// a resource policy is counted whole, as the model of the API does.
const (
	MaxIdentityPolicy = 10_240 // characters
	MaxResourcePolicy = 30_000 // characters
	maxDocument       = 131_072
	maxStatements     = 200
	maxValues         = 500 // of one element or condition key
)

// The versions of the policy language. A policy without one has the older.
const (
	versionPlain     = "2008-10-17"
	versionVariables = "2012-10-17"
)

// Effect is what a statement does when it applies.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Policy is a parsed document.
type Policy struct {
	Version    string
	ID         string
	Statements []Statement
}

// Statement is a rule of a policy: it applies to a request when all of its
// elements do.
type Statement struct {
	Sid    string
	Effect Effect

	services     []string   // that actions name, in lower case; "*" is none
	principals   principals // of resource policies
	notPrincipal bool
	actions      []pattern // in lower case
	notAction    bool
	resources    []*template
	notResource  bool
	conditions   []condition
}

// applies reports whether action, resource and conditions are the request's.
// The principal is for resource policies only and is judged apart.
func (s *Statement) applies(e *evaluation) bool {
	return s.hasAction(e.action) && s.hasResource(e) && s.holds(e)
}

func (s *Statement) hasAction(action string) bool {
	for i := range s.actions {
		if s.actions[i].match(action) {
			return !s.notAction
		}
	}
	return s.notAction
}

func (s *Statement) hasResource(e *evaluation) bool {
	unknown := false
	for _, t := range s.resources {
		p, ok := t.resolve(e)
		if ok && p.match(e.Resource) {
			return !s.notResource
		}
		unknown = unknown || !ok
	}
	// Choice: a resource left out that cannot be told keeps an Allow from applying.
	return s.notResource && (!unknown || s.Effect == Deny)
}

func (s *Statement) holds(e *evaluation) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(e, s.Effect) {
			return false
		}
	}
	return true
}

// Mentions reports whether a statement names actions of a service, as in iam.
func (p *Policy) Mentions(service string) bool {
	return slices.ContainsFunc(p.Statements, func(s Statement) bool { return slices.Contains(s.services, service) })
}

// Accounts are the accounts that Allow statements of a resource policy name,
// in order and once each, with "*" for everyone.
func (p *Policy) Accounts() []string { return p.accounts(func(*Statement) bool { return true }) }

// accounts are those that the selected Allow statements name.
func (p *Policy) accounts(selected func(*Statement) bool) []string {
	var accounts []string
	for _, s := range p.Statements {
		if s.Effect == Deny || !selected(&s) {
			continue
		}
		if s.principals.everyone || s.notPrincipal {
			accounts = append(accounts, "*")
		}
		for _, named := range s.principals.arns {
			if !s.notPrincipal {
				accounts = append(accounts, named.Account)
			}
		}
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

// ParseIdentity reads a policy for principals. Its errors are Faults.
func ParseIdentity(document string) (*Policy, error) {
	if len(document) > maxDocument || letters(document) > MaxIdentityPolicy {
		return nil, Faults{{Rule: fmt.Sprintf("it has more than %d characters, white space not counted", MaxIdentityPolicy)}}
	}
	return parse(document, false)
}

// ParseResource reads a policy for a resource. Its errors are Faults.
func ParseResource(document string) (*Policy, error) {
	if len(document) > maxDocument || utf8.RuneCountInString(document) > MaxResourcePolicy {
		return nil, Faults{{Rule: fmt.Sprintf("it has more than %d characters", MaxResourcePolicy)}}
	}
	return parse(document, true)
}

// letters counts the characters that are not white space.
func letters(s string) (n int) {
	for _, r := range s {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// parser turns a document into a policy and keeps what is wrong with it.
type parser struct {
	forResource bool
	variables   bool // the version has them
	sids        map[string]bool
	faults      Faults
}

func parse(document string, forResource bool) (*Policy, error) {
	root, err := readDocument(document)
	if err != nil {
		return nil, err
	}
	p := parser{forResource: forResource, sids: map[string]bool{}}
	policy := p.policy(&root)
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return policy, nil
}

func (p *parser) fault(n *node, format string, args ...any) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, Fault{n.path, fmt.Sprintf(format, args...)})
	}
}

// is checks the type of a value.
func (p *parser) is(n *node, want kind) bool {
	if n.kind != want {
		p.fault(n, "must be %s, not %s", want, n.kind)
		return false
	}
	return true
}

// members checks the names of an object's members.
func (p *parser) members(n *node, known ...string) {
	for i, name := range n.names {
		if !slices.Contains(known, name) {
			p.fault(&n.items[i], "unknown element; here may be %s", strings.Join(known, ", "))
		}
	}
}

func (p *parser) policy(n *node) *Policy {
	if !p.is(n, object) {
		return nil
	}
	p.members(n, "Version", "Id", "Statement")
	policy := &Policy{Version: versionPlain}
	if v := n.member("Version"); v != nil {
		policy.Version = v.text
		if v.kind != text || v.text != versionPlain && v.text != versionVariables {
			p.fault(v, "must be %q or %q", versionVariables, versionPlain)
		}
	}
	p.variables = policy.Version == versionVariables
	if id := n.member("Id"); id != nil && p.is(id, text) {
		policy.ID = id.text
		if !p.forResource {
			p.fault(id, "an identity policy has no Id")
		}
	}
	policy.Statements = p.statements(n)
	return policy
}

func (p *parser) statements(n *node) []Statement {
	s := n.member("Statement")
	if s == nil {
		p.fault(n, "Statement is missing")
		return nil
	}
	if count := len(s.each()); count > maxStatements || count == 0 && !p.forResource {
		p.fault(s, "must have 1 to %d statements, not %d", maxStatements, count)
		return nil
	}
	statements := make([]Statement, 0, len(s.each()))
	for _, item := range s.each() {
		if p.is(&item, object) {
			statements = append(statements, p.statement(&item))
		}
	}
	return statements
}

func (p *parser) statement(n *node) (s Statement) {
	p.members(n, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	p.sid(n.member("Sid"), &s)
	if e := n.member("Effect"); e == nil {
		p.fault(n, "Effect is missing")
	} else if s.Effect = Effect(e.text); e.kind != text || s.Effect != Allow && s.Effect != Deny {
		p.fault(e, `must be "Allow" or "Deny"`)
	}
	p.principalElement(n, &s)
	var element *node
	if element, s.notAction = p.either(n, "Action", "NotAction"); element != nil {
		p.actions(element, &s)
	}
	if element, s.notResource = p.either(n, "Resource", "NotResource"); element != nil {
		p.resources(element, &s)
	}
	if c := n.member("Condition"); c != nil && p.is(c, object) {
		p.conditions(c, &s)
	}
	return s
}

// either returns the one of two elements that a statement must have.
func (p *parser) either(n *node, plain, negated string) (element *node, not bool) {
	a, b := n.member(plain), n.member(negated)
	switch {
	case a == nil && b == nil:
		p.fault(n, "%s or %s is missing", plain, negated)
	case a != nil && b != nil:
		p.fault(b, "a statement has either %s or %s", plain, negated)
	case a == nil:
		return b, true
	}
	return a, false
}

var sidForm = regexp.MustCompile(`^[A-Za-z0-9]*$`)

func (p *parser) sid(n *node, s *Statement) {
	if n == nil || !p.is(n, text) {
		return
	}
	s.Sid = n.text
	if !p.forResource && !sidForm.MatchString(n.text) {
		p.fault(n, "must be letters and digits")
	}
	if n.text != "" && p.sids[n.text] {
		p.fault(n, "another statement has this Sid")
	}
	p.sids[n.text] = true
}

// strings calls f with each string of an element.
func (p *parser) strings(n *node, f func(*node)) {
	items := n.each()
	if len(items) == 0 || len(items) > maxValues {
		p.fault(n, "must have 1 to %d values, not %d", maxValues, len(items))
		return
	}
	for i := range items {
		if p.is(&items[i], text) {
			f(&items[i])
		}
	}
}

var actionForm = regexp.MustCompile(`^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)

func (p *parser) actions(n *node, s *Statement) {
	p.strings(n, func(item *node) {
		if !actionForm.MatchString(item.text) {
			p.fault(item, `must be "*" or of the form service:Name, with wildcards in the name only`)
		}
		action := strings.ToLower(item.text)
		if service, _, named := strings.Cut(action, ":"); named {
			s.services = append(s.services, service)
		}
		s.actions = append(s.actions, newPattern(wildcards(action)))
	})
}

func (p *parser) resources(n *node, s *Statement) {
	p.strings(n, func(item *node) {
		t, err := syntax{wildcards: true, variables: p.variables}.parse(item.text)
		if err != nil {
			p.fault(item, "%s", err)
			return
		}
		if rule := checkResource(item.text, t); rule != "" {
			p.fault(item, "%s", rule)
		}
		s.resources = append(s.resources, t)
	})
}

// colons before the part of an ARN that names the resource.
const colons = 5

func checkResource(resource string, t *template) (rule string) {
	if resource == "*" {
		return ""
	}
	parts := strings.SplitN(resource, ":", 4)
	switch {
	case len(parts) < 4 || parts[0] != "arn":
		return `must be "*" or an ARN, such as arn:aws:imagebuilder:*:*:component/*`
	case strings.ContainsAny(parts[2], "*?") || parts[2] == "":
		return "must name the service of its ARN without wildcards"
	case !t.isFixed() && strings.Count(string(t.parts[0].text), ":") < colons:
		return "may have variables only after the fifth colon of its ARN"
	}
	return ""
}

func (p *parser) principalElement(n *node, s *Statement) {
	if !p.forResource {
		for _, name := range []string{"Principal", "NotPrincipal"} {
			if m := n.member(name); m != nil {
				p.fault(m, "an identity policy has no %s: it is for whom it is attached to", name)
			}
		}
		return
	}
	var element *node
	if element, s.notPrincipal = p.either(n, "Principal", "NotPrincipal"); element == nil {
		return
	}
	if element.kind == text && element.text == "*" {
		s.principals.everyone = true
		return
	}
	if element.kind != object || len(element.items) == 0 {
		p.fault(element, `must be "*" or an object such as {"AWS": "123456789012"}`)
		return
	}
	p.members(element, "AWS", "Service", "Federated", "CanonicalUser")
	for i, name := range element.names {
		p.strings(&element.items[i], func(item *node) { p.principal(name, item, s) })
	}
}

func (p *parser) principal(of string, n *node, s *Statement) {
	switch {
	case of != "AWS":
		if n.text == "" || strings.ContainsAny(n.text, "*?") {
			p.fault(n, "must be a name without wildcards")
		}
		s.principals.others = append(s.principals.others, n.text)
	case n.text == "*":
		s.principals.everyone = true
	case accountID.MatchString(n.text):
		s.principals.arns = append(s.principals.arns, accountPrincipal(n.text))
	default:
		named, err := ParsePrincipal(n.text)
		if err != nil {
			p.fault(n, `%s; an account of twelve digits and "*" are possible too, other wildcards are not`, err)
			return
		}
		s.principals.arns = append(s.principals.arns, named)
	}
}
