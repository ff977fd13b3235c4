package iam_test

import (
	"fmt"
	"testing"

	"ingot.dev/ingot/api/iam"
)

// ordinary is a policy such as a build server has: reads, its own resources by
// tag and name, and what it must not touch.
func ordinary() string {
	return document([]string{
		allow("imagebuilder:List*", "*"),
		st("Allow", `"Action": ["imagebuilder:Get*", "imagebuilder:Create*"], "Resource": "arn:aws:imagebuilder:*:`+mine+`:*/${aws:PrincipalTag/team, 'none'}-*"`),
		st("Allow", `"Action": "imagebuilder:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}, "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}`),
		deny("imagebuilder:Delete*", "arn:aws:imagebuilder:*:*:*/release-*"),
		st("Deny", `"NotAction": "imagebuilder:*", "Resource": "*"`),
	})
}

func BenchmarkEvaluate(b *testing.B) {
	r := ruling{}.request(b)
	r.Subject = iam.NewSubject(r.Subject.Principal, map[string]string{"team": "web"}, identityPolicy(b, ordinary()))
	r.Keys.Set("aws:ResourceTag/team", "web")
	r.Keys.Set("aws:SourceIp", "10.1.2.3")
	b.ReportAllocs()
	for b.Loop() {
		if got := r.Evaluate(); got != iam.Allowed {
			b.Fatal(got)
		}
	}
}

// A policy of the greatest size, none of which applies.
func BenchmarkEvaluateLargest(b *testing.B) {
	var statements []string
	for i := range 80 {
		statements = append(statements, allow("imagebuilder:Get*", fmt.Sprintf("arn:aws:imagebuilder:*:*:component/*-%d/?.*", i)))
	}
	r := ruling{identity: statements}.request(b)
	b.ReportAllocs()
	for b.Loop() {
		if got := r.Evaluate(); got != iam.NoIdentityAllow {
			b.Fatal(got)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := ordinary()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		identityPolicy(b, text)
	}
}
