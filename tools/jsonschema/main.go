// Command jsonschema is the independent judge of the schemas that Ingot
// writes. It reads a schema and instances from standard input, as
// {"schema": …, "instances": […]}, and prints a list with what is wrong with
// each instance; an empty text: nothing is. A schema that does not fit its
// meta-schema is an error.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func main() {
	log.SetFlags(0)
	in, err := jsonschema.UnmarshalJSON(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	input := in.(map[string]any)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", input["schema"]); err != nil {
		log.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		log.Fatal(err)
	}
	faults := []string{}
	for _, instance := range input["instances"].([]any) {
		fault := ""
		if err := schema.Validate(instance); err != nil {
			fault = err.Error()
		}
		faults = append(faults, fault)
	}
	if err := json.NewEncoder(os.Stdout).Encode(faults); err != nil {
		log.Fatal(err)
	}
}
