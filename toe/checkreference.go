package toe

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"ingot.dev/ingot/internal/yamldoc"
)

// references checks every expression: a step may refer to the steps before
// it.
func (c *checker) references() {
	for p, phase := range c.document.Phases {
		for s := range phase.Steps {
			r := referenceChecker{c, position{Phase: p, Step: s}}
			phase.Steps[s].eachValue(r.value)
		}
	}
}

// position is a step within a document, or the place where a run goes on.
type position struct {
	Document int `json:"document"`
	Phase    int `json:"phase"`
	Step     int `json:"step"`
}

// before compares positions within one document.
func (p position) before(q position) bool {
	return p.Phase < q.Phase || p.Phase == q.Phase && p.Step < q.Step
}

// find locates a step by the names of phase and step.
func (d *Document) find(phase, step string) (position, bool) {
	for p := range d.Phases {
		if d.Phases[p].Name != phase {
			continue
		}
		for s := range d.Phases[p].Steps {
			if d.Phases[p].Steps[s].Name == step {
				return position{Phase: p, Step: s}, true
			}
		}
	}
	return position{}, false
}

// referenceChecker checks the expressions of one step.
type referenceChecker struct {
	*checker
	at position
}

func (c referenceChecker) value(v value) {
	if v.text.hasReferences() {
		refs := c.finder(v.node)
		for _, p := range v.text {
			if p.ref != nil && !c.Full() {
				c.reference(refs.find(p.text), p.ref)
			}
		}
	}
	if len(v.foreign) > 0 {
		others := c.finder(v.node)
		for _, body := range v.foreign {
			c.Warnf(others.find(body), "'{{ %s }}' is no expression of component documents and stays as it is", body)
		}
	}
	for _, item := range v.items {
		c.value(item)
	}
}

// finder finds the places of one expression after another inside of a scalar.
type finder struct {
	node   *yamldoc.Node
	lines  []string // what is left of the scalar's part of the source
	line   int      // number of the first of them
	column int      // of its first character
}

func (c *checker) finder(n *yamldoc.Node) *finder {
	first := min(n.Line-1, len(c.lines))
	last := min(len(c.lines), n.Line+strings.Count(n.Text, "\n")+1)
	f := &finder{node: n, lines: slices.Clone(c.lines[first:last]), line: n.Line, column: 1}
	for len(f.lines) > 0 && f.column < n.Column && f.lines[0] != "" {
		_, size := utf8.DecodeRuneInString(f.lines[0])
		f.lines[0], f.column = f.lines[0][size:], f.column+1
	}
	return f
}

// find is the next place of a text. Where it is not in the source as such,
// because of escapes or folding, the place is the scalar's from there on.
func (f *finder) find(text string) *yamldoc.Node {
	at := *f.node
	at.Text = text
	for ; len(f.lines) > 0; f.lines, f.line, f.column = f.lines[1:], f.line+1, 1 {
		before, after, found := strings.Cut(f.lines[0], text)
		if !found {
			continue
		}
		at.Line, at.Column = f.line, f.column+utf8.RuneCountInString(before)
		f.lines[0] = after
		f.column = at.Column + utf8.RuneCountInString(text)
		break
	}
	return &at
}

func (c referenceChecker) reference(n *yamldoc.Node, r *reference) {
	switch r.kind {
	case variableRef:
		if !slices.Contains(c.names, r.name) {
			c.undefined(n, r, yamldoc.DidYouMean(r.name, c.names))
		}
	case loopRef:
		c.loopVariable(n, r)
	case inputsRef, outputsRef:
		c.chain(n, r)
	case ssmRef:
		holder, indirect := resolved(r.name)
		if indirect && !strings.HasPrefix(holder, "aws:ssm:") && !slices.Contains(c.names, holder) {
			c.undefined(n, r, yamldoc.DidYouMean(holder, c.names))
		}
	case imdsRef:
		if forbiddenMetadata(r.name) {
			c.Errorf(n, "Metadata path '%s' is not allowed", r.name)
		}
	case contextRef:
		if !slices.Contains(contextKeys, r.name) {
			c.undefined(n, r, yamldoc.DidYouMean(r.name, contextKeys))
		}
	case imagebuilderRef:
		c.undefined(n, r, "; imagebuilder: variables belong to distribution settings and Dockerfile templates")
	}
}

// loopVariable warns of a reference that stays text: documents may have such
// texts for other programs (§7.4).
func (c referenceChecker) loopVariable(n *yamldoc.Node, r *reference) {
	l := c.document.Phases[c.at.Phase].Steps[c.at.Step].loop
	if l.owns(r) {
		return
	}
	var known []string
	if l != nil {
		known = []string{"loop", l.name}
	}
	c.Warnf(n, "'{{ %s }}' belongs to no loop of this step and stays as it is%s", r.body, yamldoc.DidYouMean(r.name, known))
}

func (c referenceChecker) undefined(n *yamldoc.Node, r *reference, why string) {
	phase := c.document.Phases[c.at.Phase]
	c.Errorf(n, "Undefined reference '{{ %s }}' in step '%s' of phase '%s'%s", r.body, phase.Steps[c.at.Step].Name, phase.Name, why)
}

// chain checks a reference to another step (§6.5).
func (c referenceChecker) chain(n *yamldoc.Node, r *reference) {
	at, ok := c.document.find(r.phase, r.step)
	if !ok {
		name := r.phase + "." + r.step
		c.undefined(n, r, "; there is no step '"+name+"'"+yamldoc.DidYouMean(name, c.document.stepNames()))
		return
	}
	if !at.before(c.at) {
		phase := c.document.Phases[c.at.Phase]
		c.Errorf(n, "Reference '{{ %s }}' in step '%s' of phase '%s' points to a step that runs later", r.body, phase.Steps[c.at.Step].Name, phase.Name)
		return
	}
	target := &c.document.Phases[at.Phase].Steps[at.Step]
	if target.module == nil {
		return // reported there
	}
	if r.kind == inputsRef {
		c.chainedInput(n, r, target)
	} else if !target.module.HasOutput(r.keys[0]) || len(r.keys) > 1 {
		c.undefined(n, r, "; action "+target.Action+" has no such output"+yamldoc.DidYouMean(r.keys[0], outputNames(target)))
	}
}

func outputNames(s *Step) []string {
	var names []string
	for _, o := range s.module.Outputs {
		names = append(names, o.Name)
	}
	return names
}

func (c referenceChecker) chainedInput(n *yamldoc.Node, r *reference, target *Step) {
	if r.index >= len(target.inputs) {
		c.undefined(n, r, "; the step has no inputs of that index")
		return
	}
	in, ok := target.input(r)
	switch {
	case !ok:
		c.undefined(n, r, "; the step declares no such input"+yamldoc.DidYouMean(r.keys[0], slices.Collect(maps.Keys(target.inputs[r.index]))))
	case in.node.Kind != yamldoc.Scalar:
		c.undefined(n, r, "; the input is a "+in.node.Kind.String()+", only a single text can be referenced")
	case target.dependsOnLoop(in):
		c.undefined(n, r, "; the input differs from one iteration of its step's loop to the next")
	}
}
