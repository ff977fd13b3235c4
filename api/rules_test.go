package api

import (
	"strings"
	"testing"

	"ingot.dev/ingot/model"
)

// TestEveryOperationHasARule: what no rule knows would be allowed to everybody.
func TestEveryOperationHasARule(t *testing.T) {
	routed := map[string]bool{}
	for _, route := range model.Routes {
		routed[route.Operation] = true
		if rules[route.Operation].on == nil {
			t.Errorf("%s has no rule", route.Operation)
		}
	}
	if len(routed) != 77 {
		t.Errorf("the model has %d operations, want 77", len(routed))
	}
	for name := range rules {
		if !routed[name] {
			t.Errorf("the rule of %s is of no operation", name)
		}
	}
	for name := range passedTo {
		if !routed[name] {
			t.Errorf("%s passes a role and is no operation", name)
		}
	}
}

// TestRulesNameMembers: a rule that reads a member which its operation does not
// have would ask for the wrong resource.
func TestRulesNameMembers(t *testing.T) {
	s := &Server{}
	for _, route := range model.Routes {
		in := map[string]any{}
		for _, m := range route.Input.Members {
			in[m.Name] = "given-" + m.Name
		}
		q := &question{t.Context(), s, &call{operation: route.Operation}, in}
		for _, resource := range rules[route.Operation].on(q) {
			if resource == "" || strings.HasSuffix(resource, "/") || strings.Contains(resource, "//") {
				t.Errorf("the rule of %s names a member that its input does not have", route.Operation)
			}
		}
	}
}
