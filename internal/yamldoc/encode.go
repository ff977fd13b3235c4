package yamldoc

import (
	"bytes"
	"encoding/json"
	"slices"

	"go.yaml.in/yaml/v4"
)

// MarshalYAML writes the node as it was read: text in quotes stays text, and
// keys keep their order.
func (n *Node) MarshalYAML() (any, error) { return n.yaml(), nil }

// nulls are the texts that YAML takes for null unless they are in quotes.
var nulls = []string{"", "~", "null", "Null", "NULL"}

func (n *Node) yaml() *yaml.Node {
	switch n.Kind {
	case Scalar:
		out := &yaml.Node{Kind: yaml.ScalarNode, Value: n.Text}
		if n.Quoted || slices.Contains(nulls, n.Text) {
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
	var b bytes.Buffer
	err := n.json(&b)
	return b.Bytes(), err
}

func (n *Node) json(b *bytes.Buffer) error {
	switch n.Kind {
	case Scalar:
		return jsonText(b, n.Text)
	case List:
		return jsonParts(b, "[]", n.Items, func(item *Node) error { return item.json(b) })
	case Mapping:
		return jsonParts(b, "{}", n.Fields, func(f Field) error {
			if err := jsonText(b, f.Key); err != nil {
				return err
			}
			b.WriteByte(':')
			return f.Value.json(b)
		})
	default:
		b.WriteString("null")
		return nil
	}
}

func jsonParts[T any](b *bytes.Buffer, brackets string, parts []T, write func(T) error) error {
	b.WriteByte(brackets[0])
	for i, p := range parts {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(p); err != nil {
			return err
		}
	}
	b.WriteByte(brackets[1])
	return nil
}

// jsonText leaves <, > and & as they are: whoever writes HTML escapes them.
func jsonText(b *bytes.Buffer, text string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return enc.Encode(text)
}
