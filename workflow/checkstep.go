package workflow

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ingot.dev/ingot/internal/yamldoc"
)

const (
	maxAttempts    = 10
	maxBackoff     = 600 // seconds
	defaultBackoff = 30  // seconds
)

var stepName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{2,127}$`)

func (c *checker) steps(root *yamldoc.Node) {
	list := c.Required(root, "steps", "the document")
	if list != nil && list.Kind == yamldoc.List && len(list.Items) == 0 {
		c.Errorf(list, "Field 'steps' in the document must have at least one step")
	}
	for _, n := range c.list(root, "steps", maxSteps) {
		c.document.Steps = append(c.document.Steps, c.step(n))
	}
	c.exclusive(list)
}

// exclusive keeps the distribution of containers and AMIs apart. Source:
// workflows.md §6.
func (c *checker) exclusive(list *yamldoc.Node) {
	containers := slices.ContainsFunc(c.document.Steps, func(s Step) bool { return s.Action != nil && s.Action.Name == distributeContainer })
	for i, s := range c.document.Steps {
		if containers && slices.Contains(imageActions, s.Action) {
			c.Errorf(list.Items[i], "Step '%s': a document with the action %s cannot also have %s, which is for AMIs", s.Name, distributeContainer, s.Action.Name)
		}
	}
}

// stepChecker reads one step.
type stepChecker struct {
	*checker
	node *yamldoc.Node
	step *Step
}

func (c stepChecker) where() string { return "step '" + c.step.Name + "'" }

func (c *checker) step(n *yamldoc.Node) Step {
	s := Step{OnFailure: Abort, RollbackEnabled: "true", Retry: Retry{MaxAttempts: 1}}
	if !c.Mapping(n, "step", "name", "action", "description", "if", "inputs", "onFailure", "rollbackEnabled", "timeoutSeconds", "waitSeconds", "retry") {
		return s
	}
	sc := stepChecker{checker: c, node: n, step: &s}
	sc.name()
	sc.description()
	sc.action()
	if v := n.Get("if"); v != nil {
		condition := sc.condition(unwrap(v), 1)
		s.If = &condition
	}
	sc.inputs()
	sc.onFailure()
	sc.rollback()
	sc.times()
	sc.retry()
	return s
}

func (c stepChecker) name() {
	c.step.Name = c.Text(c.node, "name", "step")
	n := c.Required(c.node, "name", "step")
	if n == nil {
		return
	}
	if !stepName.MatchString(c.step.Name) {
		c.Errorf(n, "Invalid step name '%s'; it must have 3 to 128 letters, digits or _ and start with a letter", c.step.Name)
	}
	if slices.ContainsFunc(c.document.Steps, func(s Step) bool { return s.Name == c.step.Name }) {
		c.Errorf(n, "Duplicate step name '%s'", c.step.Name)
	}
}

func (c stepChecker) description() {
	n := c.node.Get("description")
	if n == nil {
		return
	}
	c.step.Description = c.Text(c.node, "description", c.where())
	if length := utf8.RuneCountInString(n.Text); n.Kind == yamldoc.Scalar && (length < 1 || length > maxDescription) {
		c.Errorf(n, "Field 'description' in %s must have 1 to %d characters, not %d", c.where(), maxDescription, length)
	}
}

func (c stepChecker) action() {
	n := c.Required(c.node, "action", c.where())
	if n == nil {
		return
	}
	allowed := actionNames(c.workflowType)
	a := FindAction(n.Text)
	switch {
	case a == nil, a.Managed && !c.managed:
		a = nil
		c.Errorf(n, "Unknown action '%s' in %s%s", n.Text, c.where(), yamldoc.DidYouMean(n.Text, allowed))
	case !slices.Contains(a.Types, c.workflowType):
		c.Errorf(n, "The action %s of %s is not for a %s workflow; it is for %s", a.Name, c.where(), c.workflowType, join(a.Types))
	}
	c.step.Action = a
}

// join lists words as in A, B.
func join[T ~string](words []T) string {
	var texts []string
	for _, w := range words {
		texts = append(texts, string(w))
	}
	return strings.Join(texts, ", ")
}

func (c stepChecker) onFailure() {
	n := c.node.Get("onFailure")
	if n == nil {
		return
	}
	choices := []string{Abort, Continue}
	if c.step.OnFailure = n.Text; !slices.Contains(choices, n.Text) {
		c.Errorf(n, "Field 'onFailure' in %s must be Abort or Continue, not '%s'%s", c.where(), n.Text, yamldoc.DidYouMean(n.Text, choices))
	}
}

func (c stepChecker) rollback() {
	n := c.node.Get("rollbackEnabled")
	if n == nil {
		return
	}
	if n.Kind == yamldoc.Scalar && IsPath(n.Text) {
		c.step.RollbackEnabled = n.Text
		if kind := c.path(n, n.Text); kind != "" && kind != Boolean {
			c.Errorf(n, "Field 'rollbackEnabled' in %s must be a boolean; '%s' is a %s", c.where(), n.Text, kind)
		}
		return
	}
	enabled, ok := n.Boolean()
	if !ok {
		c.Errorf(n, "Field 'rollbackEnabled' in %s must be true, false or a path, not '%s'", c.where(), n.Text)
	}
	if !enabled {
		c.step.RollbackEnabled = "false"
	}
}

func (c stepChecker) times() {
	most := int64(0)
	if a := c.step.Action; a != nil {
		c.step.Timeout, most = a.Timeout, int64(a.Maximum/time.Second)
	}
	if seconds, ok := c.seconds(c.node, "timeoutSeconds", 1, most); ok {
		c.step.Timeout = seconds
	}
	if seconds, ok := c.seconds(c.node, "waitSeconds", 0, 0); ok {
		c.step.Wait = seconds
		if c.step.Timeout > 0 && seconds >= c.step.Timeout {
			c.Errorf(c.node.Get("waitSeconds"), "Field 'waitSeconds' in %s must be less than its timeout of %d seconds", c.where(), int64(c.step.Timeout/time.Second))
		}
	}
}

// secondsLimit keeps a number of seconds within a time.Duration.
const secondsLimit = int64(100 * 365 * 24 * time.Hour / time.Second)

// seconds reads a number from least to most (0: any); ok is false when it is
// absent or wrong.
func (c stepChecker) seconds(n *yamldoc.Node, key string, least, most int64) (time.Duration, bool) {
	if most == 0 {
		most = secondsLimit
	}
	v, ok := c.number(n, key, least, most)
	return time.Duration(v) * time.Second, ok
}

func (c stepChecker) number(n *yamldoc.Node, key string, least, most int64) (int64, bool) {
	node := n.Get(key)
	if node == nil {
		return 0, false
	}
	v, ok := node.Integer()
	if !ok || v < least || v > most {
		c.Errorf(node, "Field '%s' in %s must be an integer from %d to %d, not '%s'", key, c.where(), least, most, node.Text)
		return 0, false
	}
	return v, true
}

func (c stepChecker) retry() {
	n := c.node.Get("retry")
	if n == nil || !c.Mapping(n, "'retry' of "+c.where(), "maxAttempts", "backoffSeconds") {
		return
	}
	c.step.Retry.Backoff = defaultBackoff * time.Second
	c.Required(n, "maxAttempts", "'retry' of "+c.where())
	if attempts, ok := c.number(n, "maxAttempts", 1, maxAttempts); ok {
		c.step.Retry.MaxAttempts = int(attempts)
	}
	if backoff, ok := c.seconds(n, "backoffSeconds", 0, maxBackoff); ok {
		c.step.Retry.Backoff = backoff
	}
}

// unwrap is the element of a list with one.
func unwrap(n *yamldoc.Node) *yamldoc.Node {
	if n.Kind == yamldoc.List && len(n.Items) == 1 {
		return n.Items[0]
	}
	return n
}
