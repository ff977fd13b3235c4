package toe

import (
	"fmt"
	"slices"

	"ingot.dev/ingot/internal/yamldoc"
)

// delimiters are the ones that a loop may split at (§7.3).
var delimiters = []string{",", ".", ";", ":", "\n", "\t", " ", "-", "_"}

func (c stepChecker) loopFault(n *yamldoc.Node, format string, args ...any) {
	c.Errorf(n, "Invalid loop in %s: %s", c.where(), fmt.Sprintf(format, args...))
}

// loop reads the loop of the step.
func (c stepChecker) loop() {
	n := c.node.Get("loop")
	where := "the loop of " + c.where()
	if n == nil || !c.Mapping(n, where, "name", "for", "forEach") {
		return
	}
	l := &loop{name: c.Text(n, "name", where)}
	c.step.loop = l
	c.loopName(n, l.name)
	numbers, items := n.Get("for"), n.Get("forEach")
	switch {
	case (numbers == nil) == (items == nil):
		c.loopFault(n, "it needs one of 'for' and 'forEach'")
	case numbers != nil:
		l.kind = "for"
		c.countedLoop(l, numbers)
	case items.Kind == yamldoc.List:
		l.kind = "forEach"
		c.listLoop(l, items)
	default:
		l.kind = "forEach"
		c.splitLoop(l, items)
	}
}

func (c stepChecker) loopName(n *yamldoc.Node, name string) {
	v := n.Get("name")
	switch {
	case v == nil:
		return
	case !plainName.MatchString(name):
		c.loopFault(v, "invalid name '%s'. %s", name, allowedCharacters)
	case name == "loop":
		c.loopFault(v, "the name 'loop' is reserved")
	case slices.Contains(c.loops, name):
		c.Errorf(v, "Duplicate loop name '%s' in phase '%s'", name, c.phase)
	}
	c.loops = append(c.loops, name)
}

func (c stepChecker) countedLoop(l *loop, n *yamldoc.Node) {
	where := "the 'for' of " + c.where()
	if !c.Mapping(n, where, "start", "end", "updateBy") {
		return
	}
	valid := true
	number := func(key string) int64 {
		v := c.Required(n, key, where)
		if v == nil {
			valid = false
			return 0
		}
		i, ok := v.Integer()
		valid = c.rule(v, key, ok, "an integer") && valid
		return i
	}
	start, end, by := number("start"), number("end"), number("updateBy")
	if !valid {
		return
	}
	l.start, l.updateBy = start, by
	count, err := iterations(start, end, by)
	if err != nil {
		c.loopFault(n, "%v", err)
	}
	l.count = count
}

// iterations counts the values from start to end.
func iterations(start, end, by int64) (int, error) {
	distance, stride := uint64(end)-uint64(start), uint64(by) // modulo 2⁶⁴, so that nothing overflows
	if end < start {
		distance, stride = -distance, -stride
	}
	switch {
	case by == 0:
		return 0, fmt.Errorf("'updateBy' must not be 0")
	case start < end && by < 0, start > end && by > 0:
		return 0, fmt.Errorf("from %d by %d it never reaches %d", start, by, end)
	case start == end:
		return 1, nil
	case distance/stride >= maxIterations:
		return 0, fmt.Errorf("it has more than %d iterations", maxIterations)
	}
	return int(distance/stride) + 1, nil
}

func (c stepChecker) listLoop(l *loop, n *yamldoc.Node) {
	if len(n.Items) == 0 {
		c.loopFault(n, "'forEach' must have at least one item")
	}
	if len(n.Items) > maxIterations {
		c.loopFault(n, "it has more than %d iterations", maxIterations)
	}
	for i, item := range n.Items {
		if item.Kind != yamldoc.Scalar && item.Kind != yamldoc.Null { // a null item is an empty text
			c.loopFault(item, "'forEach[%d]' must be a string%s", i, yamldoc.UnquotedHint(item))
		}
	}
	items := newValue(n)
	l.items = &items
}

func (c stepChecker) splitLoop(l *loop, n *yamldoc.Node) {
	where := "the 'forEach' of " + c.where()
	if !c.Mapping(n, where, "list", "delimiter") || c.Required(n, "list", where) == nil {
		return
	}
	c.Text(n, "list", where) // reports a value that is none
	items := newValue(n.Get("list"))
	l.items, l.delimiter = &items, ","
	if v := n.Get("delimiter"); v != nil {
		l.delimiter = v.Text
		if !slices.Contains(delimiters, v.Text) {
			c.loopFault(v, `'delimiter' must be a comma, dot, semicolon, colon, line feed ("\n"), tab ("\t"), space, hyphen or underscore, not '%s'`, v.Text)
		}
	}
}
