package toe

import (
	"fmt"
	"slices"
	"strings"
)

// prepare checks the documents and their parameters. It returns why the run
// must not begin.
func (r *run) prepare() string {
	var faults []string
	for _, d := range r.state.Request.Documents {
		doc, findings := Check(d.Data, CheckOptions{Path: d.Path})
		for _, f := range findings {
			r.log.Warn("check", "document", d.Path, "finding", f.String())
		}
		for _, f := range findings.Errors() {
			faults = append(faults, d.Path+":"+f.String())
		}
		if doc == nil {
			continue
		}
		if r.caller != nil && r.caller.step.DisableLogging {
			doc.silence()
		}
		values, bad := doc.bind(d.Parameters, r.secrets, r.state.Request.Parameters)
		faults = append(faults, bad...)
		r.documents, r.variables = append(r.documents, doc), append(r.variables, values)
	}
	faults = append(faults, r.blockedModules()...)
	if len(faults) == 0 {
		faults = r.rebootFaults()
	}
	r.referenced = referencedOutputs(r.documents)
	return strings.Join(faults, "\n")
}

// silence keeps what the steps print, take and give out of the logs, as it is
// with the step that executes the document.
func (d *Document) silence() {
	for _, p := range d.Phases {
		for s := range p.Steps {
			p.Steps[s].DisableLogging = true
		}
	}
}

func (r *run) blockedModules() []string {
	var faults []string
	for _, d := range r.documents {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				if slices.Contains(r.options.Blocked, s.Action) {
					faults = append(faults, fmt.Sprintf("%s: Action module '%s' is blocked", d.Path, s.Action))
				}
			}
		}
	}
	return faults
}

// bind gives the variables of a document their values (§3.1). Of what is
// supplied the first wins.
func (d *Document) bind(supplied ...map[string]string) (values map[string]string, faults []string) {
	values = map[string]string{}
	for _, c := range d.Constants {
		values[c.Name] = c.Value
	}
	for _, p := range d.Parameters {
		v, found := "", false // missing: empty, the service has refused it before
		for i := 0; i < len(supplied) && !found; i++ {
			v, found = supplied[i][p.Name]
		}
		if found && !p.allows(v) {
			faults = append(faults, fmt.Sprintf("%s: the value '%s' of parameter '%s' is not one of its allowedValues", d.Path, v, p.Name))
		}
		if !found && p.Default != nil {
			v = *p.Default
		}
		values[p.Name] = v
	}
	return values, faults
}
