package iam_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ingot.dev/ingot/api/iam"
)

// The generators draw from few words, so that statements and requests meet.
var (
	someAction    = rapid.SampledFrom([]string{"*", "imagebuilder:*", "imagebuilder:Get*", "imagebuilder:GetImage", "imagebuilder:ListImages", "ec2:*"})
	someResource  = rapid.SampledFrom([]string{"*", nginx, shared, "arn:aws:imagebuilder:*:*:component/*", "arn:aws:imagebuilder:*:*:component/${aws:username}/*"})
	somePrincipal = rapid.SampledFrom([]string{mine, theirs, root, ann, role, session, bob, "*"})
	someEffect    = rapid.SampledFrom([]string{"Allow", "Deny"})
	someOperator  = rapid.SampledFrom([]string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLikeIfExists", "ForAllValues:StringEquals", "ForAnyValue:StringNotEquals", "ForAnyValue:StringLike", "StringEqualsIfExists"})
	someValue     = rapid.SampledFrom([]string{"a", "b", "*", "", "${aws:username}", "${aws:PrincipalTag/none}"})
	not           = rapid.SampledFrom([]string{"", "Not"})
)

// someStatement draws a statement of an effect, for a resource policy or not.
func someStatement(t *rapid.T, effect string, forResource bool) string {
	members := fmt.Sprintf(`"%sAction": %q, "%sResource": %q`,
		not.Draw(t, "not"), someAction.Draw(t, "action"), not.Draw(t, "not"), someResource.Draw(t, "resource"))
	if forResource {
		members += fmt.Sprintf(`, "%sPrincipal": {"AWS": [%q, %q]}`,
			not.Draw(t, "not"), somePrincipal.Draw(t, "principal"), somePrincipal.Draw(t, "principal"))
	}
	if rapid.Bool().Draw(t, "conditional") {
		members += fmt.Sprintf(`, "Condition": {%q: {"test:x": [%q, %q]}}`,
			someOperator.Draw(t, "operator"), someValue.Draw(t, "value"), someValue.Draw(t, "value"))
	}
	return st(effect, members)
}

func someStatements(t *rapid.T, least int, forResource bool) []string {
	statements := []string{}
	for range rapid.IntRange(least, 3).Draw(t, "statements") {
		statements = append(statements, someStatement(t, someEffect.Draw(t, "effect"), forResource))
	}
	return statements
}

// someRuling draws policies and a request. The caller has an identity policy:
// one without any has full access, which a first Allow would narrow.
func someRuling(t *rapid.T) (ruling, iam.Keys) {
	c := ruling{
		as:       rapid.SampledFrom([]string{ann, session, root, bob}).Draw(t, "caller"),
		identity: someStatements(t, 1, false),
		action:   rapid.SampledFrom([]string{"imagebuilder:GetImage", "imagebuilder:ListImages", "ec2:RunInstances"}).Draw(t, "action"),
		on:       rapid.SampledFrom([]string{nginx, shared, "*"}).Draw(t, "resource"),
		theirs:   rapid.Bool().Draw(t, "theirs"),
	}
	if rapid.Bool().Draw(t, "resource policy") {
		c.resource = someStatements(t, 0, true)
	}
	values := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ann", ""}), 0, 2).Draw(t, "values")
	return c, iam.Keys{"test:x": values}
}

func (c ruling) allowed(t *testing.T, keys iam.Keys) bool {
	r := c.request(t)
	r.Keys = keys
	return r.Evaluate() == iam.Allowed
}

// with adds a statement somewhere in one of the policies.
func (c ruling) with(t *rapid.T, effect string) ruling {
	toResource := rapid.Bool().Draw(t, "to the resource")
	statement := someStatement(t, effect, toResource)
	insert := func(statements []string) []string {
		at := rapid.IntRange(0, len(statements)).Draw(t, "at")
		return slices.Insert(slices.Clone(statements), at, statement)
	}
	if toResource {
		c.resource = insert(c.resource)
	} else {
		c.identity = insert(c.identity)
	}
	return c
}

func TestADenyNeverAllows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, keys := someRuling(rt)
		after := before.with(rt, "Deny")
		if !before.allowed(t, keys) && after.allowed(t, keys) {
			rt.Fatalf("a Deny made %v of %v allowed", after, before)
		}
	})
}

func TestAnAllowNeverDenies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, keys := someRuling(rt)
		after := before.with(rt, "Allow")
		if before.allowed(t, keys) && !after.allowed(t, keys) {
			rt.Fatalf("an Allow made %v of %v denied", after, before)
		}
	})
}

// The order of statements is without meaning.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, keys := someRuling(rt)
		after := before
		after.identity = slices.Clone(before.identity)
		slices.Reverse(after.identity)
		if before.resource != nil {
			after.resource = slices.Clone(before.resource)
			slices.Reverse(after.resource)
		}
		if got, want := after.allowed(t, keys), before.allowed(t, keys); got != want {
			rt.Fatalf("in reverse order allowed is %v, not %v", got, want)
		}
	})
}
