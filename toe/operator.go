package toe

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// operator is a key of conditions (§8.2 to §8.5).
type operator struct {
	name   string
	second string              // the key beside it; empty: none
	check  func(operand) error // rule of a baseline without references; nil: none
	holds  comparison          // nil: a logical operator
}

// comparison is the work of an operator. The baseline is the operand that
// stands at the operator's key, the subject the one at the second key.
type comparison func(ctx context.Context, e *evaluation, baseline, subject operand) (bool, error)

const (
	and = "and"
	or  = "or"
	not = "not"
)

var operators = []operator{
	{name: and},
	{name: or},
	{name: not},

	{name: "stringIsEmpty", holds: onText(func(s string) bool { return s == "" })},
	{name: "stringIsWhitespace", holds: onText(isWhitespace)},
	{name: "stringEquals", second: "value", holds: ordered(compareStrings, 0)},
	{name: "stringLessThan", second: "value", holds: ordered(compareStrings, -1)},
	{name: "stringLessThanEquals", second: "value", holds: ordered(compareStrings, -1, 0)},
	{name: "stringGreaterThan", second: "value", holds: ordered(compareStrings, 1)},
	{name: "stringGreaterThanEquals", second: "value", holds: ordered(compareStrings, 1, 0)},
	{name: "patternMatches", second: "value", check: checkPattern, holds: patternMatches},

	{name: "numberEquals", second: "value", check: checkNumber, holds: ordered(compareNumbers, 0)},
	{name: "numberLessThan", second: "value", check: checkNumber, holds: ordered(compareNumbers, -1)},
	{name: "numberLessThanEquals", second: "value", check: checkNumber, holds: ordered(compareNumbers, -1, 0)},
	{name: "numberGreaterThan", second: "value", check: checkNumber, holds: ordered(compareNumbers, 1)},
	{name: "numberGreaterThanEquals", second: "value", check: checkNumber, holds: ordered(compareNumbers, 1, 0)},

	{name: "binaryExists", holds: binaryExists},
	{name: "fileExists", holds: onFile(func(i os.FileInfo) bool { return !i.IsDir() })},
	{name: "folderExists", holds: onFile(os.FileInfo.IsDir)},
	{name: "fileMD5Equals", second: "path", holds: digestEquals("MD5")},
	{name: "fileSHA1Equals", second: "path", holds: digestEquals("SHA1")},
	{name: "fileSHA256Equals", second: "path", holds: digestEquals("SHA256")},
	{name: "fileSHA512Equals", second: "path", holds: digestEquals("SHA512")},
}

func (o *operator) logical() bool { return o.holds == nil }

// findOperator ignores letter case: the guide spells a name in two ways.
func findOperator(name string) *operator {
	i := slices.IndexFunc(operators, func(o operator) bool { return strings.EqualFold(o.name, name) })
	if i < 0 {
		return nil
	}
	return &operators[i]
}

func operatorNames() []string {
	var names []string
	for _, o := range operators {
		names = append(names, o.name)
	}
	return names
}

func onText(f func(string) bool) comparison {
	return func(_ context.Context, _ *evaluation, baseline, _ operand) (bool, error) {
		return f(baseline.text), nil
	}
}

func isWhitespace(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsSpace(r) }) < 0
}

// ordered compares the subject with the baseline; the result must be one of
// the orders. Operands that cannot be compared do not hold.
func ordered(compare func(subject, baseline operand) (order int, ok bool), orders ...int) comparison {
	return func(_ context.Context, _ *evaluation, baseline, subject operand) (bool, error) {
		order, ok := compare(subject, baseline)
		return ok && slices.Contains(orders, order), nil
	}
}

func compareStrings(a, b operand) (int, bool) {
	return strings.Compare(strings.ToLower(a.text), strings.ToLower(b.text)), true
}

var (
	number      = regexp.MustCompile(`^[-+]?([0-9]+[.])?[0-9]+$`)
	plainNumber = regexp.MustCompile(`^([-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+|0o[0-7]+)$`)
)

const (
	numberBits = 256  // keep the decimal texts of documents apart (§8.4)
	maxNumber  = 4096 // bytes; reading decimals takes time by the square of their length
)

func (o operand) number() (*big.Float, bool) {
	base := 10
	switch {
	case len(o.text) > maxNumber:
		return nil, false
	case number.MatchString(o.text):
	case o.plain && plainNumber.MatchString(o.text):
		base = 0 // as the prefix says
	default:
		return nil, false
	}
	f, _, err := big.ParseFloat(o.text, base, numberBits, big.ToNearestEven)
	return f, err == nil
}

func compareNumbers(a, b operand) (int, bool) {
	x, isX := a.number()
	y, isY := b.number()
	if !isX || !isY {
		return 0, false
	}
	return x.Cmp(y), true
}

func checkNumber(baseline operand) error {
	if _, ok := baseline.number(); !ok {
		return fmt.Errorf("'%s' is not a number", baseline.text)
	}
	return nil
}

const ignoreCase = "(?i)" // as all comparisons of texts do

// checkPattern does not compile: repetitions make programs large.
func checkPattern(baseline operand) error {
	_, err := syntax.Parse(ignoreCase+baseline.text, syntax.Perl)
	return err
}

func patternMatches(_ context.Context, _ *evaluation, baseline, subject operand) (bool, error) {
	re, err := regexp.Compile(ignoreCase + baseline.text)
	if err != nil {
		return false, err
	}
	return re.MatchString(subject.text), nil
}

func binaryExists(ctx context.Context, e *evaluation, baseline, _ operand) (bool, error) {
	return e.call.BinaryExists(ctx, baseline.text)
}

// onFile asks about the file at a path; without one the answer is no.
func onFile(f func(os.FileInfo) bool) comparison {
	return func(_ context.Context, e *evaluation, baseline, _ operand) (bool, error) {
		info, err := os.Stat(e.call.Path(baseline.text))
		return err == nil && f(info), nil
	}
}

// digestEquals is false for a file that cannot be read (§8.5).
func digestEquals(algorithm string) comparison {
	return func(ctx context.Context, e *evaluation, baseline, subject operand) (bool, error) {
		digest, err := e.call.Digest(ctx, algorithm, subject.text)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil {
			e.trace("the file cannot be read", "path", e.shown(subject), "error", err)
			return false, nil
		}
		return strings.EqualFold(digest, baseline.text), nil
	}
}
