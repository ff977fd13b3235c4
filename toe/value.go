package toe

import (
	"errors"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe/module"
)

// value is a value of a document with its references: a text, or a list or
// mapping of values.
type value struct {
	node    *yamldoc.Node
	key     string   // in the mapping that holds it
	text    template // of a scalar
	foreign []string // bodies in the text that are no expressions of ours
	items   []value  // of a list or mapping
}

func newValue(n *yamldoc.Node) value {
	v := value{node: n}
	v.text, v.foreign = parseTemplate(n.Text)
	for _, item := range n.Items {
		v.items = append(v.items, newValue(item))
	}
	for _, f := range n.Fields {
		if f.Value.Kind != yamldoc.Null { // as if it were absent
			item := newValue(f.Value)
			item.key = f.Key
			v.items = append(v.items, item)
		}
	}
	return v
}

// find descends into mappings.
func (v value) find(keys []string) (value, bool) {
	if len(keys) == 0 {
		return v, true
	}
	if v.node.Kind == yamldoc.Mapping {
		for _, item := range v.items {
			if item.key == keys[0] {
				return item.find(keys[1:])
			}
		}
	}
	return value{}, false
}

// eachReference calls f for every expression of the value.
func (v value) eachReference(f func(*reference)) {
	for _, p := range v.text {
		if p.ref != nil {
			f(p.ref)
		}
	}
	for _, item := range v.items {
		item.eachReference(f)
	}
}

// raw is the form of an input that module.Convert takes; text makes texts of
// its templates.
func (v value) raw(t module.Type, text func(template) (string, error)) (any, error) {
	if v.node.Kind == yamldoc.Scalar {
		return text(v.text)
	}
	switch t {
	case module.StringMap:
		return v.mapping(text)
	case module.Pairs:
		pairs := make([]module.Pair, len(v.items))
		for i, item := range v.items {
			m, err := item.mapping(text)
			if err != nil {
				return nil, err
			}
			pairs[i] = module.Pair{Name: m["name"], Value: m["value"]}
		}
		return pairs, nil
	default:
		return v.list(text)
	}
}

func (v value) list(text func(template) (string, error)) ([]string, error) {
	texts := make([]string, len(v.items))
	for i, item := range v.items {
		var err error
		if texts[i], err = text(item.text); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (v value) mapping(text func(template) (string, error)) (map[string]string, error) {
	texts := map[string]string{}
	for _, item := range v.items {
		var err error
		if texts[item.key], err = text(item.text); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

var errReference = errors.New("the text depends on a reference")

// constantText is the text of a template without references.
func constantText(t template) (string, error) {
	text, ok := t.constant()
	if !ok {
		return "", errReference
	}
	return text, nil
}
