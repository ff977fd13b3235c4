package iam_test

import (
	"strings"
	"testing"

	"ingot.dev/ingot/api/iam"
)

// meeting is a case of a Condition element: the statement applies, or not.
type meeting struct {
	rule      string
	condition string
	keys      iam.Keys
	deny      bool   // of a Deny statement; else of an Allow
	as        string // ann
	want      bool
}

func (c meeting) applies(t testing.TB) bool {
	t.Helper()
	r := ruling{as: c.as}.request(t)
	statements := []string{st("Allow", `"Action": "*", "Resource": "*", "Condition": `+c.condition)}
	if c.deny {
		statements = []string{allow("*", "*"), st("Deny", `"Action": "*", "Resource": "*", "Condition": `+c.condition)}
	}
	r.Subject = iam.NewSubject(r.Subject.Principal, map[string]string{"team": "web"}, identityPolicy(t, document(statements)))
	for name, values := range c.keys {
		r.Keys.Set(name, values...)
	}
	return (r.Evaluate() == iam.Allowed) != c.deny
}

func meetAll(t *testing.T, cases []meeting) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if got := c.applies(t); got != c.want {
				t.Errorf("%s with %v applies: %v, want %v", c.condition, c.keys, got, c.want)
			}
		})
	}
}

// x is the one key that most cases are about; colours is a key with several values.
func x(values ...string) iam.Keys { return iam.Keys{"test:x": values} }

func TestConditions(t *testing.T) {
	const missing = "a missing key: "
	meetAll(t, []meeting{
		{rule: "an empty Condition holds", condition: `{}`, want: true},
		{rule: "an empty operator holds", condition: `{"StringEquals": {}}`, want: true},
		{rule: "several operators are all", condition: `{"StringEquals": {"test:x": "1"}, "NumericLessThan": {"test:x": 1}}`, keys: x("1")},
		{rule: "several keys are all", condition: `{"StringEquals": {"test:x": "1", "test:y": "1"}}`, keys: x("1")},
		{rule: "several values are any", condition: `{"StringEquals": {"test:x": ["1", "2"]}}`, keys: x("2"), want: true},
		{rule: "several values of a negated operator are none", condition: `{"StringNotEquals": {"test:x": ["1", "2"]}}`, keys: x("2")},
		{rule: "key names are compared without case", condition: `{"StringEquals": {"TEST:X": "1"}}`, keys: x("1"), want: true},
		{rule: "tag names in keys are compared without case", condition: `{"StringEquals": {"aws:RequestTag/Team": "web"}}`, keys: iam.Keys{"aws:RequestTag/team": {"web"}}, want: true},
		{rule: "numbers and booleans may stand without quotes", condition: `{"StringEquals": {"test:x": [1, true]}}`, keys: x("true"), want: true},

		{rule: "StringEquals is exact", condition: `{"StringEquals": {"test:x": "abc"}}`, keys: x("abc"), want: true},
		{rule: "StringEquals is compared with case", condition: `{"StringEquals": {"test:x": "abc"}}`, keys: x("ABC")},
		{rule: "StringEquals has no wildcards", condition: `{"StringEquals": {"test:x": "a*"}}`, keys: x("abc")},
		{rule: "StringEquals takes an asterisk as one", condition: `{"StringEquals": {"test:x": "a*"}}`, keys: x("a*"), want: true},
		{rule: "StringNotEquals of another value", condition: `{"StringNotEquals": {"test:x": "abc"}}`, keys: x("ABC"), want: true},
		{rule: "StringNotEquals of the value", condition: `{"StringNotEquals": {"test:x": "abc"}}`, keys: x("abc")},
		{rule: "StringEqualsIgnoreCase", condition: `{"StringEqualsIgnoreCase": {"test:x": "aBc"}}`, keys: x("AbC"), want: true},
		{rule: "StringEqualsIgnoreCase of another value", condition: `{"StringEqualsIgnoreCase": {"test:x": "aBc"}}`, keys: x("AbCd")},
		{rule: "StringNotEqualsIgnoreCase", condition: `{"StringNotEqualsIgnoreCase": {"test:x": "aBc"}}`, keys: x("AbC")},
		{rule: "StringNotEqualsIgnoreCase of another value", condition: `{"StringNotEqualsIgnoreCase": {"test:x": "aBc"}}`, keys: x("b"), want: true},
		{rule: "StringLike with *", condition: `{"StringLike": {"test:x": "a*d"}}`, keys: x("abcd"), want: true},
		{rule: "StringLike with ?", condition: `{"StringLike": {"test:x": "a?c"}}`, keys: x("abc"), want: true},
		{rule: "StringLike needs wildcards for a part", condition: `{"StringLike": {"test:x": "ab"}}`, keys: x("abc")},
		{rule: "StringLike is compared with case", condition: `{"StringLike": {"test:x": "A*"}}`, keys: x("abc")},
		{rule: "StringLike counts characters, not bytes", condition: `{"StringLike": {"test:x": "s?o"}}`, keys: x("sjö")},
		{rule: "StringLike has characters of any alphabet", condition: `{"StringLike": {"test:x": "sj?*"}}`, keys: x("sjö"), want: true},
		{rule: "StringNotLike", condition: `{"StringNotLike": {"test:x": "a*"}}`, keys: x("abc")},
		{rule: "StringNotLike of another value", condition: `{"StringNotLike": {"test:x": "a*"}}`, keys: x("bc"), want: true},
		{rule: "an empty string is a value", condition: `{"StringEquals": {"test:x": ""}}`, keys: x(""), want: true},

		{rule: "NumericEquals compares numbers", condition: `{"NumericEquals": {"test:x": "10"}}`, keys: x("10.0"), want: true},
		{rule: "NumericEquals is exact", condition: `{"NumericEquals": {"test:x": "9007199254740993"}}`, keys: x("9007199254740992")},
		{rule: "NumericNotEquals", condition: `{"NumericNotEquals": {"test:x": 10}}`, keys: x("11"), want: true},
		{rule: "NumericLessThan", condition: `{"NumericLessThan": {"test:x": 10}}`, keys: x("9"), want: true},
		{rule: "NumericLessThan at the limit", condition: `{"NumericLessThan": {"test:x": 10}}`, keys: x("10")},
		{rule: "NumericLessThanEquals at the limit", condition: `{"NumericLessThanEquals": {"test:x": 10}}`, keys: x("10"), want: true},
		{rule: "NumericLessThanEquals over the limit", condition: `{"NumericLessThanEquals": {"test:x": 10}}`, keys: x("10.5")},
		{rule: "NumericGreaterThan", condition: `{"NumericGreaterThan": {"test:x": -2.5}}`, keys: x("-2"), want: true},
		{rule: "NumericGreaterThan at the limit", condition: `{"NumericGreaterThan": {"test:x": 10}}`, keys: x("10")},
		{rule: "NumericGreaterThanEquals at the limit", condition: `{"NumericGreaterThanEquals": {"test:x": 10}}`, keys: x("10"), want: true},
		{rule: "NumericGreaterThanEquals is not by text", condition: `{"NumericGreaterThanEquals": {"test:x": 9}}`, keys: x("10"), want: true},
		{rule: "what is no number is not equal to one", condition: `{"NumericLessThan": {"test:x": 10}}`, keys: x("one")},

		{rule: "what is no number is not unequal to one in an Allow", condition: `{"NumericNotEquals": {"test:x": 10}}`, keys: x("one")},
		{rule: "what is no number is unequal to one in a Deny", condition: `{"NumericNotEquals": {"test:x": 10}}`, keys: x("one"), deny: true, want: true},

		{rule: "DateEquals of two zones", condition: `{"DateEquals": {"test:x": "2030-01-01T00:00:00Z"}}`, keys: x("2030-01-01T01:00:00+01:00"), want: true},
		{rule: "DateEquals of seconds since 1970", condition: `{"DateEquals": {"test:x": "1893456000"}}`, keys: x("2030-01-01T00:00:00Z"), want: true},
		{rule: "DateNotEquals", condition: `{"DateNotEquals": {"test:x": "2030-01-01"}}`, keys: x("2030-01-01T00:00:00Z")},
		{rule: "DateLessThan", condition: `{"DateLessThan": {"test:x": "2030-01-01"}}`, keys: x("2029-12-31T23:59:59Z"), want: true},
		{rule: "DateLessThan at the limit", condition: `{"DateLessThan": {"test:x": "2030"}}`, keys: x("2030-01-01T00:00:00Z")},
		{rule: "DateLessThanEquals at the limit", condition: `{"DateLessThanEquals": {"test:x": "2030-01"}}`, keys: x("2030-01-01T00:00:00Z"), want: true},
		{rule: "DateGreaterThan", condition: `{"DateGreaterThan": {"test:x": "2030-01-01T00:00Z"}}`, keys: x("2030-01-01T00:00:00.5Z"), want: true},
		{rule: "DateGreaterThan before", condition: `{"DateGreaterThan": {"test:x": "2030-01-01"}}`, keys: x("2029-01-01T00:00:00Z")},
		{rule: "DateGreaterThanEquals at the limit", condition: `{"DateGreaterThanEquals": {"test:x": "2030-01-01"}}`, keys: x("1893456000"), want: true},
		{rule: "what is no date is not before one", condition: `{"DateLessThan": {"test:x": "2030-01-01"}}`, keys: x("yesterday")},

		{rule: "what is no date is not unequal to one in an Allow", condition: `{"DateNotEquals": {"test:x": "2030-01-01"}}`, keys: x("yesterday")},

		{rule: "Bool", condition: `{"Bool": {"aws:SecureTransport": "true"}}`, keys: iam.Keys{"aws:SecureTransport": {"true"}}, want: true},
		{rule: "Bool without quotes", condition: `{"Bool": {"aws:SecureTransport": false}}`, keys: iam.Keys{"aws:SecureTransport": {"false"}}, want: true},
		{rule: "Bool of the other value", condition: `{"Bool": {"aws:SecureTransport": "true"}}`, keys: iam.Keys{"aws:SecureTransport": {"false"}}},
		{rule: "BinaryEquals decodes base64", condition: `{"BinaryEquals": {"test:x": "AAH/"}}`, keys: x("\x00\x01\xff"), want: true},
		{rule: "BinaryEquals compares every byte", condition: `{"BinaryEquals": {"test:x": "AAH/"}}`, keys: x("\x00\x01")},

		{rule: "IpAddress in a range", condition: `{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, keys: iam.Keys{"aws:SourceIp": {"203.0.113.255"}}, want: true},
		{rule: "IpAddress out of a range", condition: `{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, keys: iam.Keys{"aws:SourceIp": {"203.0.114.0"}}},
		{rule: "IpAddress without a prefix is one address", condition: `{"IpAddress": {"aws:SourceIp": "203.0.113.7"}}`, keys: iam.Keys{"aws:SourceIp": {"203.0.113.7"}}, want: true},
		{rule: "IpAddress without a prefix is no other address", condition: `{"IpAddress": {"aws:SourceIp": "203.0.113.7"}}`, keys: iam.Keys{"aws:SourceIp": {"203.0.113.8"}}},
		{rule: "IpAddress of version 6", condition: `{"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]}}`, keys: iam.Keys{"aws:SourceIp": {"2001:db8:1234:5678::1"}}, want: true},
		{rule: "IpAddress of version 4 written as 6", condition: `{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, keys: iam.Keys{"aws:SourceIp": {"::ffff:203.0.113.9"}}, want: true},
		{rule: "NotIpAddress in the range", condition: `{"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, keys: iam.Keys{"aws:SourceIp": {"203.0.113.9"}}},
		{rule: "NotIpAddress out of all ranges", condition: `{"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}}`, keys: iam.Keys{"aws:SourceIp": {"192.0.2.1"}}, want: true},

		{rule: "what is no address is in no range", condition: `{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`, keys: iam.Keys{"aws:SourceIp": {"localhost"}}},
		{rule: "what is no address is not out of a range in an Allow", condition: `{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`, keys: iam.Keys{"aws:SourceIp": {"localhost"}}},

		{rule: "ArnEquals is exact", condition: `{"ArnEquals": {"imagebuilder:StatusTopicArn": "arn:aws:sns:eu-north-1:111111111111:t"}}`, keys: iam.Keys{"imagebuilder:StatusTopicArn": {"arn:aws:sns:eu-north-1:111111111111:t"}}, want: true},
		{rule: "ArnEquals has wildcards", condition: `{"ArnEquals": {"test:x": "arn:aws:sns:*:111111111111:t?"}}`, keys: x("arn:aws:sns:eu-north-1:111111111111:t1"), want: true},
		{rule: "ArnLike keeps wildcards in their part", condition: `{"ArnLike": {"test:x": "arn:aws:s:*:111122223333:finance/*"}}`, keys: x("arn:aws:s:us-east-2:999999999999:store/abc:111122223333:finance/a")},
		{rule: "StringLike lets wildcards out of their part", condition: `{"StringLike": {"test:x": "arn:aws:s:*:111122223333:finance/*"}}`, keys: x("arn:aws:s:us-east-2:999999999999:store/abc:111122223333:finance/a"), want: true},
		{rule: "ArnLike takes colons in the last part", condition: `{"ArnLike": {"test:x": "arn:aws:logs:*:*:log-group:*"}}`, keys: x("arn:aws:logs:eu-north-1:111111111111:log-group:a:*"), want: true},
		{rule: "ArnLike of what is no ARN", condition: `{"ArnLike": {"test:x": "arn:*:*:*:*:*"}}`, keys: x("arn:aws")},
		{rule: "ArnNotEquals", condition: `{"ArnNotEquals": {"test:x": "arn:aws:sns:*:*:t"}}`, keys: x("arn:aws:sns:eu-north-1:111111111111:t")},
		{rule: "ArnNotLike of another ARN", condition: `{"ArnNotLike": {"test:x": "arn:aws:sns:*:*:t"}}`, keys: x("arn:aws:sns:eu-north-1:111111111111:u"), want: true},

		{rule: "Null true of an absent key", condition: `{"Null": {"test:x": "true"}}`, want: true},
		{rule: "Null true of a present key", condition: `{"Null": {"test:x": "true"}}`, keys: x("1")},
		{rule: "Null false of a present key", condition: `{"Null": {"test:x": false}}`, keys: x("1"), want: true},
		{rule: "Null false of an absent key", condition: `{"Null": {"test:x": "false"}}`},
		{rule: "Null true of a key without values", condition: `{"Null": {"test:x": "true"}}`, keys: x(), want: true},

		{rule: missing + "StringEquals", condition: `{"StringEquals": {"test:x": "1"}}`},
		{rule: missing + "StringEquals of nothing", condition: `{"StringEquals": {"test:x": ""}}`},
		{rule: missing + "StringNotEquals", condition: `{"StringNotEquals": {"test:x": "1"}}`, want: true},
		{rule: missing + "StringLike *", condition: `{"StringLike": {"test:x": "*"}}`},
		{rule: missing + "StringNotLike", condition: `{"StringNotLike": {"test:x": "*"}}`, want: true},
		{rule: missing + "NumericLessThan", condition: `{"NumericLessThan": {"test:x": 10}}`},
		{rule: missing + "NumericNotEquals", condition: `{"NumericNotEquals": {"test:x": 10}}`, want: true},
		{rule: missing + "DateGreaterThan", condition: `{"DateGreaterThan": {"test:x": "2020-01-01"}}`},
		{rule: missing + "DateNotEquals", condition: `{"DateNotEquals": {"test:x": "2020-01-01"}}`, want: true},
		{rule: missing + "Bool", condition: `{"Bool": {"test:x": "false"}}`},
		{rule: missing + "BinaryEquals", condition: `{"BinaryEquals": {"test:x": "AA=="}}`},
		{rule: missing + "IpAddress", condition: `{"IpAddress": {"test:x": "0.0.0.0/0"}}`},
		{rule: missing + "NotIpAddress", condition: `{"NotIpAddress": {"test:x": "0.0.0.0/0"}}`, want: true},
		{rule: missing + "ArnLike", condition: `{"ArnLike": {"test:x": "arn:*:*:*:*:*"}}`},
		{rule: missing + "ArnNotLike", condition: `{"ArnNotLike": {"test:x": "arn:*:*:*:*:*"}}`, want: true},
		{rule: missing + "a negated operator makes a Deny apply", condition: `{"StringNotEquals": {"test:x": "1"}}`, deny: true, want: true},
		{rule: missing + "a plain operator keeps a Deny from applying", condition: `{"StringEquals": {"test:x": "1"}}`, deny: true},

		{rule: "IfExists of a missing key", condition: `{"StringEqualsIfExists": {"test:x": "1"}}`, want: true},
		{rule: "IfExists of the value", condition: `{"StringEqualsIfExists": {"test:x": "1"}}`, keys: x("1"), want: true},
		{rule: "IfExists of another value", condition: `{"StringEqualsIfExists": {"test:x": "1"}}`, keys: x("2")},
		{rule: "IfExists leaves the other conditions", condition: `{"StringEqualsIfExists": {"test:x": "1"}, "StringEquals": {"test:y": "1"}}`},
		{rule: "IfExists of a missing number", condition: `{"NumericLessThanIfExists": {"test:x": 1}}`, want: true},
		{rule: "IfExists of a missing date", condition: `{"DateLessThanIfExists": {"test:x": "2030-01-01"}}`, want: true},
		{rule: "IfExists of a missing boolean", condition: `{"BoolIfExists": {"test:x": "true"}}`, want: true},
		{rule: "IfExists of a false boolean", condition: `{"BoolIfExists": {"test:x": "true"}}`, keys: x("false")},
		{rule: "IfExists of a missing address", condition: `{"IpAddressIfExists": {"test:x": "10.0.0.0/8"}}`, want: true},
		{rule: "IfExists of a missing ARN", condition: `{"ArnLikeIfExists": {"test:x": "arn:aws:sns:*:*:*"}}`, want: true},
		{rule: "IfExists and a negated operator still deny", condition: `{"StringNotEqualsIfExists": {"test:x": "1"}}`, deny: true, want: true},
		{rule: "IfExists and a negated operator of the value", condition: `{"StringNotEqualsIfExists": {"test:x": "1"}}`, keys: x("1")},
	})
}

func TestSetOperators(t *testing.T) {
	const all, some = `{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}`, `{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}`
	const allNot, anyNot = `{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}`, `{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}`
	tags := func(names ...string) iam.Keys { return iam.Keys{"aws:TagKeys": names} }
	meetAll(t, []meeting{
		{rule: "ForAllValues: every value is in the policy", condition: all, keys: tags("a", "b"), want: true},
		{rule: "ForAllValues: some of the policy's values are enough", condition: all, keys: tags("b"), want: true},
		{rule: "ForAllValues: one value is not in the policy", condition: all, keys: tags("a", "c")},
		{rule: "ForAllValues: a missing key", condition: all, want: true},
		{rule: "ForAllValues: an empty set", condition: all, keys: tags(), want: true},
		{rule: "ForAllValues: an empty string is an empty set", condition: all, keys: tags(""), want: true},
		{rule: "ForAllValues: a missing key makes a Deny apply", condition: all, deny: true, want: true},
		{rule: "ForAllValues with Null demands the key", condition: `{"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}}`},
		{rule: "ForAllValues and not: no value is in the policy", condition: allNot, keys: tags("c", "d"), want: true},
		{rule: "ForAllValues and not: one value is in the policy", condition: allNot, keys: tags("a", "c")},
		{rule: "ForAllValues and not: a missing key", condition: allNot, want: true},
		{rule: "ForAnyValue: one value is in the policy", condition: some, keys: tags("a", "c"), want: true},
		{rule: "ForAnyValue: no value is in the policy", condition: some, keys: tags("c")},
		{rule: "ForAnyValue: a missing key", condition: some},
		{rule: "ForAnyValue: an empty set", condition: some, keys: tags()},
		{rule: "ForAnyValue: an empty string is an empty set", condition: some, keys: tags("")},
		{rule: "ForAnyValue: a missing key keeps a Deny from applying", condition: some, deny: true},
		{rule: "ForAnyValue: a forbidden value makes a Deny apply", condition: some, keys: tags("c", "a"), deny: true, want: true},
		{rule: "ForAnyValue and not: one value is not in the policy", condition: anyNot, keys: tags("a", "c"), want: true},
		{rule: "ForAnyValue and not: every value is in the policy", condition: anyNot, keys: tags("a", "b")},
		{rule: "ForAnyValue and not: a missing key", condition: anyNot},
		{rule: "ForAllValues with StringLike", condition: `{"ForAllValues:StringLike": {"aws:TagKeys": "cost-*"}}`, keys: tags("cost-a", "cost-b"), want: true},
		{rule: "ForAnyValue with StringLike", condition: `{"ForAnyValue:StringLike": {"aws:TagKeys": "cost-*"}}`, keys: tags("team", "cost-b"), want: true},
		{rule: "ForAllValues with numbers", condition: `{"ForAllValues:NumericLessThan": {"test:x": 10}}`, keys: x("1", "11")},
		{rule: "ForAnyValue with ARNs", condition: `{"ForAnyValue:ArnLike": {"test:x": "arn:aws:sns:*:*:*"}}`, keys: x("arn:aws:s3:::b", "arn:aws:sns:eu-north-1:111111111111:t"), want: true},
		{rule: "ForAllValues with IfExists", condition: `{"ForAllValues:StringEqualsIfExists": {"test:x": "1"}}`, want: true},
		{rule: "ForAnyValue with IfExists still needs a value", condition: `{"ForAnyValue:StringEqualsIfExists": {"test:x": "1"}}`},
		{rule: "several values without a set operator: an Allow needs all", condition: `{"StringEquals": {"test:x": "1"}}`, keys: x("1", "2")},
		{rule: "several values without a set operator: a Deny needs one", condition: `{"StringEquals": {"test:x": "1"}}`, keys: x("1", "2"), deny: true, want: true},
		{rule: "several values without a set operator: an Allow needs none of the excluded", condition: `{"StringNotEquals": {"test:x": "1"}}`, keys: x("1", "2")},
		{rule: "several values without a set operator: a Deny needs one not excluded", condition: `{"StringNotEquals": {"test:x": "1"}}`, keys: x("1", "2"), deny: true, want: true},
		{rule: "names of tags that differ in case only are several values", condition: `{"StringEquals": {"aws:RequestTag/env": "dev"}}`, keys: iam.Keys{"aws:RequestTag/env": {"dev"}, "aws:RequestTag/Env": {"prod"}}},
	})
}

func TestPrincipalKeys(t *testing.T) {
	meetAll(t, []meeting{
		{rule: "aws:username is the name of a user", condition: `{"StringEquals": {"aws:username": "ann"}}`, want: true},
		{rule: "aws:username is without the path", condition: `{"StringEquals": {"aws:username": "ann"}}`, as: pathAnn, want: true},
		{rule: "aws:username is absent for a session", condition: `{"Null": {"aws:username": "true"}}`, as: session, want: true},
		{rule: "aws:PrincipalArn of a user", condition: `{"ArnEquals": {"aws:PrincipalArn": "` + ann + `"}}`, want: true},
		{rule: "aws:PrincipalArn of a session is the role", condition: `{"ArnEquals": {"aws:PrincipalArn": "` + role + `"}}`, as: session, want: true},
		{rule: "aws:PrincipalAccount", condition: `{"StringEquals": {"aws:PrincipalAccount": "` + mine + `"}}`, want: true},
		{rule: "aws:PrincipalType of a user", condition: `{"StringEquals": {"aws:PrincipalType": "User"}}`, want: true},
		{rule: "aws:PrincipalType of a session", condition: `{"StringEquals": {"aws:PrincipalType": "AssumedRole"}}`, as: session, want: true},
		{rule: "aws:PrincipalTag", condition: `{"StringEquals": {"aws:PrincipalTag/team": "web"}}`, want: true},
		{rule: "the request cannot state the principal's keys", condition: `{"StringEquals": {"aws:PrincipalTag/team": "root"}}`, keys: iam.Keys{"aws:PrincipalTag/team": {"root"}}},
	})
}

func TestVariables(t *testing.T) {
	const own = `{"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}`
	const other = `{"StringNotEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/group}"}}`
	team := func(v string) iam.Keys { return iam.Keys{"aws:ResourceTag/team": {v}} }
	meetAll(t, []meeting{
		{rule: "a variable in a string", condition: own, keys: team("web"), want: true},
		{rule: "a variable of another value", condition: own, keys: team("db")},
		{rule: "names of variables are compared without case", condition: `{"StringEquals": {"test:x": "${AWS:UserName}"}}`, keys: x("ann"), want: true},
		{rule: "a variable amid text", condition: `{"StringLike": {"test:x": "home/${aws:username}/*"}}`, keys: x("home/ann/a"), want: true},
		{rule: "several variables", condition: `{"StringEquals": {"test:x": "${aws:username}-${aws:PrincipalTag/team}"}}`, keys: x("ann-web"), want: true},
		{rule: "a variable in StringEqualsIgnoreCase", condition: `{"StringEqualsIgnoreCase": {"test:x": "${aws:username}"}}`, keys: x("ANN"), want: true},
		{rule: "a variable in an ARN", condition: `{"ArnLike": {"test:x": "arn:aws:iam::*:user/${aws:username}"}}`, keys: x(ann), want: true},
		{rule: "a variable in the account of an ARN", condition: `{"ArnLike": {"test:x": "arn:aws:iam::${aws:PrincipalAccount}:user/*"}}`, keys: x(ann), want: true},
		{rule: "a value brings no wildcards", condition: `{"StringLike": {"test:x": "${test:y}"}}`, keys: iam.Keys{"test:x": {"abc"}, "test:y": {"*"}}},
		{rule: "a value brings no colons to an ARN", condition: `{"ArnLike": {"test:x": "arn:aws:s3:${test:y}:*:b"}}`, keys: iam.Keys{"test:x": {"arn:aws:s3:eu:1:b"}, "test:y": {"eu:1"}}},
		{rule: "a value brings no variables", condition: `{"StringEquals": {"test:x": "${test:y}"}}`, keys: iam.Keys{"test:x": {"ann"}, "test:y": {"${aws:username}"}}},
		{rule: "a default is for an absent key", condition: `{"StringEquals": {"test:x": "${aws:PrincipalTag/group, 'none'}"}}`, keys: x("none"), want: true},
		{rule: "a default is not for a present key", condition: `{"StringEquals": {"test:x": "${aws:PrincipalTag/team, 'none'}"}}`, keys: x("none")},
		{rule: "a default may be empty", condition: `{"StringEquals": {"test:x": "a${aws:PrincipalTag/group, ''}b"}}`, keys: x("ab"), want: true},
		{rule: "a default brings no wildcards", condition: `{"StringLike": {"test:x": "${aws:PrincipalTag/group, '*'}"}}`, keys: x("abc")},
		{rule: "${*} is an asterisk", condition: `{"StringLike": {"test:x": "a${*}*"}}`, keys: x("a*bc"), want: true},
		{rule: "${*} is no wildcard", condition: `{"StringLike": {"test:x": "a${*}"}}`, keys: x("abc")},
		{rule: "${?} is a question mark", condition: `{"StringLike": {"test:x": "a${?}"}}`, keys: x("a?"), want: true},
		{rule: "${?} is no wildcard", condition: `{"StringLike": {"test:x": "a${?}"}}`, keys: x("ab")},
		{rule: "${$} is a dollar sign", condition: `{"StringEquals": {"test:x": "${$}{aws:username}"}}`, keys: x("${aws:username}"), want: true},
		{rule: "a dollar sign alone is itself", condition: `{"StringEquals": {"test:x": "$5"}}`, keys: x("$5"), want: true},
		{rule: "a variable without a value equals nothing", condition: `{"StringEquals": {"test:x": "${aws:PrincipalTag/group}"}}`, keys: x("")},
		{rule: "a variable without a value leaves the other values", condition: `{"StringEquals": {"test:x": ["${aws:PrincipalTag/group}", "1"]}}`, keys: x("1"), want: true},
		{rule: "a variable with several values equals nothing", condition: `{"StringEquals": {"test:x": "${test:y}"}}`, keys: iam.Keys{"test:x": {"1"}, "test:y": {"1", "2"}}},
		{rule: "a variable with an endless value equals nothing", condition: `{"StringEquals": {"test:x": "${test:x}"}}`, keys: x(strings.Repeat("a", 2049))},
		{rule: "not a variable without a value: no Allow", condition: other, keys: team("web")},
		{rule: "not a variable without a value: a Deny", condition: other, keys: team("web"), deny: true, want: true},
		{rule: "IfExists spares a variable when the key is absent", condition: `{"StringNotEqualsIfExists": {"aws:ResourceTag/team": "${aws:PrincipalTag/group}"}}`, want: true},
	})
	everything := allow("*", "*")
	evaluateAll(t, []ruling{
		{rule: "a variable in a resource", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/${aws:PrincipalTag/app, 'nginx'}/*")}, want: iam.Allowed},
		{rule: "a variable of another resource", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/${aws:username}/*")}, want: iam.NoIdentityAllow},
		{rule: "a resource with a variable without a value is none", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/${aws:PrincipalTag/app}*")}, want: iam.NoIdentityAllow},
		{rule: "NotResource with a variable without a value: no Allow", identity: []string{st("Allow", `"Action": "*", "NotResource": "arn:aws:imagebuilder:*:*:component/${aws:PrincipalTag/app}/*"`)}, want: iam.NoIdentityAllow},
		{rule: "NotResource with a variable without a value: a Deny", identity: []string{everything, st("Deny", `"Action": "*", "NotResource": "arn:aws:imagebuilder:*:*:component/${aws:PrincipalTag/app}/*"`)}, want: iam.IdentityDeny},
	})
}

// Policies without the newer version have no variables.
func TestVariablesOfOldPolicies(t *testing.T) {
	for _, version := range []string{``, `"Version": "2008-10-17", `} {
		policy := identityPolicy(t, `{`+version+`"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
			"Condition": {"StringEquals": {"test:x": "${aws:username}"}}}}`)
		r := ruling{}.request(t)
		r.Subject = iam.NewSubject(principal(t, ann), nil, policy)
		for value, want := range map[string]iam.Decision{"ann": iam.NoIdentityAllow, "${aws:username}": iam.Allowed} {
			r.Keys = iam.Keys{"test:x": {value}}
			if got := r.Evaluate(); got != want {
				t.Errorf("version %q: Evaluate() with %s = %v, want %v", version, value, got, want)
			}
		}
	}
}
