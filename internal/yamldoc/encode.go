package yamldoc

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v4"
)

// MarshalYAML writes the node as it was read: text in quotes stays text, and
// keys keep their order.
func (n *Node) MarshalYAML() (any, error) { return n.yaml(), nil }

func (n *Node) yaml() *yaml.Node {
	switch n.Kind {
	case Scalar:
		out := &yaml.Node{Kind: yaml.ScalarNode, Value: n.Text}
		if n.Quoted {
			out.Tag = "!!str"
		}
		return out
	case List:
		out := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range n.Items {
			out.Content = append(out.Content, item.yaml())
		}
		return out
	case Mapping:
		out := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range n.Fields {
			out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Key}, f.Value.yaml())
		}
		return out
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
}

// MarshalJSON writes every scalar as text, with its keys in order.
func (n *Node) MarshalJSON() ([]byte, error) {
	switch n.Kind {
	case Scalar:
		return json.Marshal(n.Text)
	case List:
		if n.Items == nil {
			return []byte("[]"), nil
		}
		return json.Marshal(n.Items)
	case Mapping:
		return n.jsonObject()
	default:
		return []byte("null"), nil
	}
}

func (n *Node) jsonObject() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range n.Fields {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(f.Key)
		if err != nil {
			return nil, err
		}
		value, err := f.Value.MarshalJSON()
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
