package toe

import (
	"fmt"
	"slices"

	"ingot.dev/ingot/toe/module"
)

// object is a JSON object of a schema.
type object = map[string]any

// Schema is the language as a JSON Schema (2020-12), for editors: it completes
// names, explains them and marks most faults while a document is written.
//
// It takes every document that Check takes, except that operators must be
// spelt as in the reference. It knows nothing of references, of names that must
// be unique, and of the rules for the text of an input: those are Check's.
func Schema() map[string]any {
	root := mapping(object{
		"schemaVersion": object{"enum": []any{1.0, "1.0", "1"}, "description": "Version of the language."},
		"name":          text("Free text."),
		"description":   text("Free text."),
		"parameters":    variables("parameter", "Values that the caller may supply."),
		"constants":     variables("constant", "Values that the document fixes."),
		"phases": object{
			"type": "array", "minItems": 1, "items": ref("phase"),
			"description": "Worked off in this order. A build runs 'build' and 'validate', and 'test' on an instance of the new image.",
		},
	}, "schemaVersion", "phases")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Component document"
	root["$defs"] = definitions()
	return root
}

func definitions() object {
	defs := object{
		"parameter": mapping(object{
			"type":          object{"const": "string"},
			"default":       text("In force when no value is supplied. Without it the parameter is required."),
			"description":   text("Free text."),
			"allowedValues": object{"type": "array", "items": text(""), "description": "The only values that may be supplied."},
		}, "type"),
		"constant": mapping(object{"type": object{"const": "string"}, "value": text("")}, "type", "value"),
		"phase": mapping(object{
			"name":  name("Unique in the document."),
			"steps": object{"type": "array", "minItems": 1, "maxItems": maxSteps, "items": ref("step")},
		}, "name", "steps"),
		"step": stepSchema(),
		"loop": loopSchema(),
	}
	conditionDefinitions(defs)
	for _, m := range module.All() {
		defs[m.Name] = inputsSchema(m)
	}
	return defs
}

func ref(definition string) object { return object{"$ref": "#/$defs/" + definition} }

// scalars are the types that stand for their spelling where text belongs.
var scalars = []string{"string", "number", "boolean"}

func text(description string) object { return explained(object{"type": scalars}, description) }

func explained(schema object, description string) object {
	if description != "" {
		schema["description"] = description
	}
	return schema
}

func name(description string) object {
	return object{"type": scalars, "pattern": plainName.String(), "description": description}
}

// mapping has no other keys than its properties. One that is not required may
// be null, which is as if it were absent.
func mapping(properties object, required ...string) object {
	for key, schema := range properties {
		if !slices.Contains(required, key) {
			properties[key] = orNull(schema.(object))
		}
	}
	return object{"type": "object", "properties": properties, "required": append([]string{}, required...), "additionalProperties": false}
}

// orNull also takes null; the description stays where editors look for it.
func orNull(schema object) object {
	if types, ok := schema["type"].([]string); ok {
		schema["type"] = append([]string{"null"}, types...)
		return schema
	}
	out := object{"anyOf": []any{schema, object{"type": "null"}}}
	if description, ok := schema["description"]; ok {
		out["description"] = description
		delete(schema, "description")
	}
	return out
}

func variables(kind, description string) object {
	return object{
		"type": "array", "description": description,
		"items": object{
			"type": "object", "minProperties": 1, "maxProperties": 1,
			"propertyNames": object{"pattern": variableName.String()}, "additionalProperties": ref(kind),
		},
	}
}

func stepSchema() object {
	s := mapping(object{
		"name":           name("Unique in its phase."),
		"action":         object{"oneOf": actions()},
		"inputs":         object{},
		"if":             object{"anyOf": []any{ref("if1"), oneItem(ref("if1"))}, "description": "Whether the step runs."},
		"loop":           ref("loop"),
		"timeoutSeconds": integer(object{"anyOf": []any{object{"const": -1}, object{"minimum": 1, "maximum": maxTimeoutSeconds}}}, fmt.Sprintf("Of one attempt; -1: no limit. Default: %d.", defaultTimeoutSeconds)),
		"maxAttempts":    integer(object{"minimum": 1, "maximum": maxTimeoutSeconds}, "How often the step is tried. Default: 1."),
		"onFailure": object{"oneOf": []any{
			object{"const": Abort, "description": "Nothing further runs. The default."},
			object{"const": Continue, "description": "The rest runs, and the document has failed."},
			object{"const": Ignore, "description": "The rest runs, and the failure is tolerated."},
		}},
		"disableLogging": boolean("Whether what the step takes, prints and gives stays out of the logs. Default: false."),
	}, "name", "action")
	var rules []any
	for _, m := range module.All() {
		rules = append(rules, actionRule(m))
	}
	s["allOf"] = rules
	return s
}

func actions() []any {
	var out []any
	for _, m := range module.All() {
		out = append(out, object{"const": m.Name, "description": m.Description})
	}
	return out
}

// actionRule is what the action of a step says about its other keys.
func actionRule(m *module.Module) object {
	then := object{"properties": object{"inputs": ref(m.Name)}}
	if !m.Optional {
		then["required"] = []string{"inputs"}
	}
	if m.Once {
		then["properties"].(object)["timeoutSeconds"] = object{"enum": []any{-1, "-1", nil}}
		then["properties"].(object)["maxAttempts"] = object{"enum": []any{1, "1", nil}}
	}
	return object{"if": object{"properties": object{"action": object{"const": m.Name}}, "required": []string{"action"}}, "then": then}
}

// integer may be in quotes.
func integer(rule object, description string) object {
	rule["type"] = "integer"
	return object{"anyOf": []any{rule, object{"type": "string", "pattern": `^[-+]?[0-9]+$`}}, "description": description}
}

const truth = `[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]`

// boolean may be in quotes and in any letter case.
func boolean(description string) object {
	return object{"anyOf": []any{object{"type": "boolean"}, object{"type": "string", "pattern": "^(" + truth + ")$"}}, "description": description}
}

func oneItem(schema object) object {
	return object{"type": "array", "items": schema, "minItems": 1, "maxItems": 1}
}

func loopSchema() object {
	number := func(description string) object { return integer(object{}, description) }
	by := number("Added after each iteration; not 0.")
	by["not"] = object{"enum": []any{0, "0"}}
	s := mapping(object{
		"name": name("For references such as {{ NAME.value }}; unique in the phase."),
		"for":  mapping(object{"start": number("First value."), "end": number("Last possible value."), "updateBy": by}, "start", "end", "updateBy"),
		"forEach": object{"anyOf": []any{
			object{"type": "array", "minItems": 1, "maxItems": maxIterations, "items": orNull(text(""))},
			mapping(object{
				"list":      text("A text that is split at every delimiter."),
				"delimiter": object{"enum": delimiters, "description": "Default: a comma."},
			}, "list"),
		}},
	})
	s["oneOf"] = []any{given("for"), given("forEach")}
	s["description"] = "Repeats the step over numbers, a list, or the parts of a text."
	return s
}

// given asks for a key with a value.
func given(key string) object {
	return object{"properties": object{key: object{"not": object{"type": "null"}}}, "required": []string{key}}
}
