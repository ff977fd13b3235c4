package toe

import (
	"strings"

	"ingot.dev/ingot/toe/module"
)

// inputsSchema are the inputs of a module in every shape they may have. Keys
// that it does not know are ignored, as Check does.
func inputsSchema(m *module.Module) object {
	entry := ref(levelName("assertion", 1))
	if !m.Condition {
		entry = entrySchema(m)
	}
	list := object{"type": "array", "items": entry}
	if !m.List {
		list["maxItems"] = 1
	}
	if m.Optional {
		return object{"anyOf": []any{entry, list, object{"type": "null"}}, "description": m.Description}
	}
	list["minItems"] = 1
	return object{"anyOf": []any{entry, list}, "description": m.Description}
}

func entrySchema(m *module.Module) object {
	properties, required := object{}, []string{}
	for _, in := range m.Inputs {
		s := inputSchema(in)
		if in.Required {
			required = append(required, in.Name)
		} else {
			s = orNull(s)
		}
		properties[in.Name] = s
	}
	entry := object{"type": "object", "properties": properties, "required": required}
	if len(m.OneOf) > 0 {
		var one []any
		for _, key := range m.OneOf {
			one = append(one, given(key))
		}
		entry["oneOf"] = one
	}
	return entry
}

// inputSchema is one input, which may be an expression in quotes whatever its
// type.
func inputSchema(in module.Input) object {
	return explained(typeSchema(in), inputDescription(in))
}

func inputDescription(in module.Input) string {
	text := in.Description
	if len(in.Platforms) > 0 {
		text += " Only on " + strings.Join(in.Platforms, ", ") + "."
	}
	if in.Default != "" {
		text += " Default: " + in.Default + "."
	}
	return text
}

func typeSchema(in module.Input) object {
	list := object{"type": "array", "items": orNull(text(""))}
	if in.Required {
		list["minItems"] = 1
	}
	switch in.Type {
	case module.Strings, module.Scalars:
		return object{"anyOf": []any{text(""), list}}
	case module.Integer:
		return object{"anyOf": []any{object{"type": "integer"}, object{"type": "string", "pattern": `^[-+]?[0-9]+$|\{\{`}}}
	case module.Boolean:
		return object{"anyOf": []any{object{"type": "boolean"}, object{"type": "string", "pattern": "^(" + truth + `)$|\{\{`}}}
	case module.StringMap:
		return object{"type": "object", "additionalProperties": orNull(text(""))}
	case module.Pairs:
		return object{"type": "array", "items": object{
			"type": "object", "properties": object{"name": text(""), "value": text("")}, "required": []string{"name", "value"},
		}}
	default:
		return text("")
	}
}
