package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// api is the part of a service description that the generator uses.
type api struct {
	Operations ordered[operation] `json:"operations"`
	Shapes     ordered[*shape]    `json:"shapes"`
}

type operation struct {
	HTTP struct {
		Method     string `json:"method"`
		RequestURI string `json:"requestUri"`
	} `json:"http"`
	Input  ref   `json:"input"`
	Output ref   `json:"output"`
	Errors []ref `json:"errors"`
}

type ref struct {
	Shape    string `json:"shape"`
	Location string `json:"location"`
	Token    bool   `json:"idempotencyToken"`
}

type shape struct {
	Type     string       `json:"type"`
	Required []string     `json:"required"`
	Members  ordered[ref] `json:"members"`
	Member   ref          `json:"member"`
	Key      ref          `json:"key"`
	Value    ref          `json:"value"`
	Enum     []string     `json:"enum"`
	Min      *int64       `json:"min"`
	Max      *int64       `json:"max"`
	Pattern  string       `json:"pattern"`
	Error    *struct {
		HTTPStatus int `json:"httpStatusCode"`
	} `json:"error"`
}

// requires reports whether member must be given. A client token need not be:
// the SDKs fill it in, plain requests may lack it. Source: api.md §1.8.
func (s *shape) requires(member string) bool {
	if s.Members.values[member].Token {
		return false
	}
	for _, name := range s.Required {
		if name == member {
			return true
		}
	}
	return false
}

// ordered is a JSON object that keeps the order of its members: the first
// fault that a request is told of is the first in the model's order.
type ordered[T any] struct {
	names  []string
	values map[string]T
}

func (o *ordered[T]) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &o.values); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil { // the opening brace
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		o.names = append(o.names, name.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

func (o *ordered[T]) add(name string, value T) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	if o.values == nil {
		o.values = map[string]T{}
	}
	o.values[name] = value
}

// load reads the pinned model and adds the members and shapes of additions.
func load(model, additions string) (*api, error) {
	var base, more api
	for path, into := range map[string]*api{model: &base, additions: &more} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, into); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	for _, name := range more.Shapes.names {
		added := more.Shapes.values[name]
		have, ok := base.Shapes.values[name]
		if !ok {
			base.Shapes.add(name, added)
			continue
		}
		for _, member := range added.Members.names {
			have.Members.add(member, added.Members.values[member])
		}
	}
	return &base, nil
}
