package iam

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"ingot.dev/ingot"
)

// shareable lists what the policy of a resource may grant to other accounts:
// getting and listing it. Other kinds have no policies. Source: api.md §9.3.
var shareable = map[ingot.Kind][]string{
	ingot.KindComponent:       {"GetComponent", "ListComponents"},
	ingot.KindImage:           {"GetImage", "ListImages"},
	ingot.KindImageRecipe:     {"GetImageRecipe", "ListImageRecipes"},
	ingot.KindContainerRecipe: {"GetContainerRecipe", "ListContainerRecipes"},
}

// Shares are the accounts that a policy of ParseSharing lets get and list a
// resource of the kind. Everyone of an organization is nobody: there are no
// organizations here.
func Shares(p *Policy, kind ingot.Kind) map[ingot.Share][]string {
	shares := map[ingot.Share][]string{}
	for i, share := range []ingot.Share{ingot.ShareGet, ingot.ShareList} {
		action := strings.ToLower("imagebuilder:" + shareable[kind][i])
		shares[share] = slices.DeleteFunc(p.accounts(func(s *Statement) bool { return s.hasAction(action) }), func(a string) bool { return a == "*" })
	}
	return shares
}

// ParseSharing reads the policy that an owner puts on a resource: besides the
// language it must keep to what sharing knows. A policy without statements ends
// the sharing. Errors have CodeInvalid and the field "policy".
func ParseSharing(document string, target ingot.ARN) (*Policy, error) {
	if n := utf8.RuneCountInString(document); n == 0 || n > MaxResourcePolicy {
		return nil, ingot.InvalidField("policy", "It must have 1 to %d characters, not %d.", MaxResourcePolicy, n)
	}
	root, err := readDocument(document)
	if err != nil {
		return nil, sharingError(err)
	}
	p := parser{forResource: true, sids: map[string]bool{}}
	policy := p.policy(&root)
	if len(p.faults) == 0 {
		p.sharing(&root, target)
	}
	if len(p.faults) > 0 {
		return nil, sharingError(p.faults)
	}
	return policy, nil
}

// sharingError names the first fault: an answer of the API has one message.
func sharingError(err error) error {
	var faults Faults
	if !errors.As(err, &faults) {
		return fmt.Errorf("reading a resource policy: %w", err)
	}
	return ingot.InvalidField("policy", "%s.", faults[0])
}

// sharing checks a document that is a policy.
func (p *parser) sharing(root *node, target ingot.ARN) {
	statements := root.member("Statement")
	if !p.is(statements, list) {
		return
	}
	for i := range statements.items {
		p.sharedStatement(&statements.items[i], target)
	}
}

func (p *parser) sharedStatement(s *node, target ingot.ARN) {
	if effect := s.member("Effect"); effect.text != string(Allow) {
		p.fault(effect, "sharing needs %q", Allow)
	}
	for _, name := range []string{"NotPrincipal", "NotAction", "NotResource"} {
		if m := s.member(name); m != nil {
			p.fault(m, "sharing names what it allows: use %s", strings.TrimPrefix(name, "Not"))
			return
		}
	}
	p.sharedWith(s, target)
	p.sharedActions(s.member("Action"), target)
	for _, r := range s.member("Resource").each() {
		if r.text != target.String() {
			p.fault(&r, "must be the resource that the policy is for, %s", target)
		}
	}
}

func (p *parser) sharedActions(n *node, target ingot.ARN) {
	known := shareable[target.Kind]
	if known == nil {
		p.fault(n, "a %s cannot be shared", target.Kind)
	}
	for _, action := range n.each() {
		if !slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(action.text, "imagebuilder:"+name) }) {
			p.fault(&action, "must be one of imagebuilder:%s", strings.Join(known, ", imagebuilder:"))
		}
	}
}

// sharedWith checks who a statement names: accounts, or everyone of an
// organization.
func (p *parser) sharedWith(s *node, target ingot.ARN) {
	n := s.member("Principal")
	if n.kind != object {
		p.everyone(n, s)
		return
	}
	p.unconditional(n, s)
	for i, name := range n.names {
		if name != "AWS" {
			p.fault(&n.items[i], `sharing is with accounts: use "AWS"`)
			continue
		}
		for _, item := range n.items[i].each() {
			named, err := ParsePrincipal(item.text)
			switch {
			case item.text == "*":
				p.everyone(&item, s)
			case accountID.MatchString(item.text):
			case err != nil || named.kind != accountRoot || named.partition != target.Partition:
				p.fault(&item, "must be an account of twelve digits or arn:%s:iam::ACCOUNT:root", target.Partition)
			}
		}
	}
}

// unconditional checks that accounts that are named share without conditions:
// lists are read from an index, which knows the accounts only.
func (p *parser) unconditional(principal, s *node) {
	c := s.member("Condition")
	if c == nil || len(c.items) == 0 {
		return
	}
	for _, item := range principal.items {
		for _, named := range item.each() {
			if named.text != "*" {
				p.fault(c, "accounts share without conditions; only %q has one", "*")
				return
			}
		}
	}
}

var organizationID = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)

// everyone checks that a statement for everyone is for an organization's
// accounts only. Operators that also hold without the key do not say that.
func (p *parser) everyone(n, s *node) {
	if c := s.member("Condition"); c != nil {
		if equals := c.member("StringEquals"); equals != nil {
			for i, key := range equals.names {
				if strings.EqualFold(key, "aws:PrincipalOrgID") && organizations(&equals.items[i]) {
					return
				}
			}
		}
	}
	p.fault(n, `"*" needs the condition {"StringEquals": {"aws:PrincipalOrgID": "o-…"}}: name accounts instead`)
}

func organizations(n *node) bool {
	return !slices.ContainsFunc(n.each(), func(id node) bool { return !organizationID.MatchString(id.text) })
}
