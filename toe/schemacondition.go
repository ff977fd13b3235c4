package toe

import "fmt"

// conditionDefinitions adds the conditions: each level of logical operators is
// a definition, as their depth is limited. The conditions of an if may have
// then and else, also below its not; an Assert ignores keys that it does not
// know.
func conditionDefinitions(defs object) {
	defs["comparison"] = object{"oneOf": comparisons()}
	for level := 1; level <= maxLogical+1; level++ {
		defs[levelName("condition", level)] = strict(conditionSchema(level, "condition", "condition"))
		defs[levelName("assertion", level)] = conditionSchema(level, "assertion", "assertion")
		s := conditionSchema(level, "condition", "if")
		s["properties"] = object{
			"then": decisionSchema("Done when the condition holds. Default: Execute."),
			"else": decisionSchema("Done when it does not. Default: Skip."),
		}
		defs[levelName("if", level)] = strict(s)
	}
}

func levelName(family string, level int) string { return fmt.Sprintf("%s%d", family, level) }

func strict(schema object) object {
	schema["unevaluatedProperties"] = false
	return schema
}

// conditionSchema is a condition with level-1 logical operators around it;
// members are the conditions below and and or, negated the one below not.
func conditionSchema(level int, members, negated string) object {
	operators := []any{ref("comparison")}
	if level <= maxLogical {
		list := object{"type": "array", "minItems": 1, "items": ref(levelName(members, level+1))}
		operand := ref(levelName(negated, level+1))
		operators = append(operators,
			operatorSchema(and, list, "Whether all conditions hold; stops at the first that does not."),
			operatorSchema(or, list, "Whether one of the conditions holds; stops at the first that does."),
			operatorSchema(not, object{"anyOf": []any{operand, oneItem(operand)}}, "Whether the condition does not hold."),
		)
	}
	return object{"type": "object", "oneOf": operators}
}

func operatorSchema(key string, operand object, description string) object {
	return object{
		"properties": object{key: object{"allOf": []any{operand}, "description": description}},
		"required":   []string{key},
	}
}

func comparisons() []any {
	var out []any
	for _, o := range operators {
		if o.logical() {
			continue
		}
		properties, required := object{o.name: text("")}, []string{o.name}
		if o.second != "" {
			properties[o.second] = text("")
			required = append(required, o.second)
		}
		out = append(out, object{"properties": properties, "required": required})
	}
	return out
}

func decisionSchema(description string) object {
	return orNull(object{"enum": decisions, "description": description})
}
