package iam

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// compiler makes a test of a value in a policy. Variables says that the
// policy's version has them; only strings and ARNs may hold them.
type compiler func(value string, variables bool) (test, error)

// operators are the comparisons; Null compares "true" with whether the key is
// absent.
var operators = map[string]compiler{
	"StringEquals":             compileString,
	"StringEqualsIgnoreCase":   compileFold,
	"StringLike":               compileLike,
	"NumericEquals":            numeric(func(order int) bool { return order == 0 }),
	"NumericLessThan":          numeric(func(order int) bool { return order < 0 }),
	"NumericLessThanEquals":    numeric(func(order int) bool { return order <= 0 }),
	"NumericGreaterThan":       numeric(func(order int) bool { return order > 0 }),
	"NumericGreaterThanEquals": numeric(func(order int) bool { return order >= 0 }),
	"DateEquals":               date(func(order int) bool { return order == 0 }),
	"DateLessThan":             date(func(order int) bool { return order < 0 }),
	"DateLessThanEquals":       date(func(order int) bool { return order <= 0 }),
	"DateGreaterThan":          date(func(order int) bool { return order > 0 }),
	"DateGreaterThanEquals":    date(func(order int) bool { return order >= 0 }),
	"Bool":                     compileBool,
	"Null":                     compileBool,
	"BinaryEquals":             compileBinary,
	"IpAddress":                compileAddress,
	"ArnEquals":                compileARN,
	"ArnLike":                  compileARN,
}

// negations are the operators that hold when another does not.
var negations = map[string]string{
	"StringNotEquals":           "StringEquals",
	"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike":             "StringLike",
	"NumericNotEquals":          "NumericEquals",
	"DateNotEquals":             "DateEquals",
	"NotIpAddress":              "IpAddress",
	"ArnNotEquals":              "ArnEquals",
	"ArnNotLike":                "ArnLike",
}

func compileString(value string, variables bool) (test, error) {
	t, err := syntax{variables: variables}.parse(value)
	return func(e *evaluation, value string) (bool, bool) {
		p, known := t.resolve(e)
		return known && p.literal == value, known
	}, err
}

func compileFold(value string, variables bool) (test, error) {
	t, err := syntax{variables: variables}.parse(value)
	return func(e *evaluation, value string) (bool, bool) {
		p, known := t.resolve(e)
		return known && strings.EqualFold(p.literal, value), known
	}, err
}

func compileLike(value string, variables bool) (test, error) {
	t, err := syntax{wildcards: true, variables: variables}.parse(value)
	return func(e *evaluation, value string) (bool, bool) {
		p, known := t.resolve(e)
		return known && p.match(value), known
	}, err
}

// numberForm bounds a number's digits, so that comparing is exact and cheap.
var numberForm = regexp.MustCompile(`^[+-]?[0-9]{1,32}(\.[0-9]{1,32})?$`)

func parseNumber(s string) (*big.Rat, bool) {
	if !numberForm.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func numeric(holds func(order int) bool) compiler {
	return func(value string, _ bool) (test, error) {
		limit, ok := parseNumber(value)
		if !ok {
			return nil, fmt.Errorf("%s is not a decimal number", quote(value))
		}
		return func(_ *evaluation, value string) (bool, bool) {
			n, ok := parseNumber(value)
			return ok && holds(n.Cmp(limit)), ok
		}, nil
	}
}

// dateForms are those of the W3C's profile of ISO 8601. Go's parser takes
// fractions of a second by itself.
var dateForms = []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00"}

var secondsForm = regexp.MustCompile(`^[0-9]{1,12}$`)

// parseDate reads a date, or seconds since 1970. Four digits are a year.
func parseDate(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	if !secondsForm.MatchString(s) {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

func date(holds func(order int) bool) compiler {
	return func(value string, _ bool) (test, error) {
		limit, ok := parseDate(value)
		if !ok {
			return nil, fmt.Errorf("%s is neither a date such as 2030-01-31T00:00:00Z nor seconds since 1970", quote(value))
		}
		return func(_ *evaluation, value string) (bool, bool) {
			t, ok := parseDate(value)
			return ok && holds(t.Compare(limit)), ok
		}, nil
	}
}

func compileBool(value string, _ bool) (test, error) {
	want := strings.ToLower(value)
	if want != "true" && want != "false" {
		return nil, errors.New("must be true or false")
	}
	return func(_ *evaluation, value string) (bool, bool) { return strings.EqualFold(value, want), true }, nil
}

// compileBinary compares with the raw bytes of the request.
func compileBinary(value string, _ bool) (test, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64", quote(value))
	}
	return func(_ *evaluation, value string) (bool, bool) { return value == string(raw), true }, nil
}

func compileAddress(value string, _ bool) (test, error) {
	network, err := netip.ParsePrefix(value)
	if address, single := netip.ParseAddr(value); single == nil && address.Zone() == "" {
		network, err = address.Prefix(address.BitLen())
	}
	if err != nil {
		return nil, fmt.Errorf("%s is neither an IP address nor a range such as 203.0.113.0/24", quote(value))
	}
	return func(_ *evaluation, value string) (bool, bool) {
		address, err := netip.ParseAddr(value)
		return err == nil && network.Contains(address.Unmap().WithZone("")), err == nil
	}, nil
}

// arnParts of an ARN are compared each by itself: a wildcard stays in its part.
const arnParts = 6

func compileARN(value string, variables bool) (test, error) {
	var parts []*template
	for _, text := range splitARN(value, variables) {
		t, err := syntax{wildcards: true, variables: variables}.parse(text)
		if err != nil {
			return nil, err
		}
		parts = append(parts, t)
	}
	if len(parts) != arnParts || !strings.HasPrefix(value, "arn:") {
		return nil, fmt.Errorf("%s is not an ARN of six parts, such as arn:aws:iam::*:role/name", quote(value))
	}
	return func(e *evaluation, value string) (bool, bool) {
		have := strings.SplitN(value, ":", arnParts)
		equal := len(have) == arnParts
		for i, t := range parts {
			p, known := t.resolve(e)
			if !known {
				return false, false
			}
			equal = equal && p.match(have[i])
		}
		return equal, true
	}, nil
}

// splitARN cuts at the first five colons outside of variables, so that no
// value of a variable can move what follows it.
func splitARN(value string, variables bool) []string {
	var parts []string
	start := 0
	for i := 0; i < len(value) && len(parts) < arnParts-1; i++ {
		switch {
		case variables && strings.HasPrefix(value[i:], "${"):
			i += max(strings.IndexByte(value[i:], '}'), 0)
		case value[i] == ':':
			parts = append(parts, value[start:i])
			start = i + 1
		}
	}
	return append(parts, value[start:])
}
