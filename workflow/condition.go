package workflow

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
)

// Holds evaluates a condition; and, or stop at the first branch that decides.
// A comparison with a path that names nothing is false. Source: workflows.md §4, §3.4.
func (v Values) Holds(c Condition) (bool, error) {
	switch c.Operator {
	case And, Or:
		for _, branch := range c.Conditions {
			holds, err := v.Holds(branch)
			if err != nil || holds == (c.Operator == Or) {
				return holds, err
			}
		}
		return c.Operator == And, nil
	case Not:
		holds, err := v.Holds(c.Conditions[0])
		return !holds && err == nil, err
	}
	operand, err := v.side(c.Operand)
	if err != nil {
		return false, err
	}
	value, err := v.side(c.Value)
	if operand == nil || value == nil || err != nil {
		return false, err
	}
	return compare(c.Operator, operand, value)
}

// side is one side of a comparison: a literal, or what a path names.
func (v Values) side(text string) (any, error) {
	if IsPath(text) {
		return v.Lookup(text)
	}
	return text, nil
}

func compare(operator string, operand, value any) (bool, error) {
	switch operator {
	case StringEquals:
		a, err := Text(operand)
		if err != nil {
			return false, err
		}
		b, err := Text(value)
		return a == b && err == nil, err
	case BooleanEquals:
		a, err := booleanOf(operator, operand)
		if err != nil {
			return false, err
		}
		b, err := booleanOf(operator, value)
		return a == b && err == nil, err
	}
	a, err := numberOf(operator, operand)
	if err != nil {
		return false, err
	}
	b, err := numberOf(operator, value)
	if err != nil {
		return false, err
	}
	// numberGreaterThan: 5, value: 6 is true. Source: workflows.md §4.
	order := b.Cmp(a)
	switch operator {
	case NumberEquals:
		return order == 0, nil
	case NumberGreaterThan:
		return order > 0, nil
	case NumberGreaterThanEquals:
		return order >= 0, nil
	case NumberLessThan:
		return order < 0, nil
	case NumberLessThanEquals:
		return order <= 0, nil
	}
	return false, fmt.Errorf("there is no operator '%s'", operator)
}

func booleanOf(operator string, value any) (bool, error) {
	switch value := value.(type) {
	case bool:
		return value, nil
	case string:
		if b, ok := boolean(value); ok {
			return b, nil
		}
	}
	return false, fmt.Errorf("%s compares booleans, and %s is none", operator, shown(value))
}

// maxDigits bounds the text of a number: exact arithmetic takes more time than
// its length.
const maxDigits = 1024

func numberOf(operator string, value any) (*big.Rat, error) {
	text := ""
	switch value := value.(type) {
	case string:
		text = value
	case json.Number:
		text = value.String()
	case int64:
		text = strconv.FormatInt(value, 10)
	case float64:
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if len(text) <= maxDigits && numberText.MatchString(text) {
		if n, ok := new(big.Rat).SetString(text); ok {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%s compares numbers, and %s is none", operator, shown(value))
}
