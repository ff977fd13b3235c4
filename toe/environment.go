package toe

import (
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"ingot.dev/ingot/toe/module"
)

// environment is what steps inherit and env: references read.
type environment map[string]string

// newEnvironment is the process's own environment with additions.
func newEnvironment(added map[string]string) environment {
	e := environment{}
	for _, kv := range os.Environ() {
		// Windows keeps names such as "=C:"; they are part of the environment.
		if i := strings.Index(kv[min(1, len(kv)):], "="); i >= 0 {
			e.set(kv[:i+1], kv[i+2:])
		}
	}
	for k, v := range added {
		e.set(k, v)
	}
	return e
}

func (e environment) set(name, value string) {
	for k := range e {
		if module.SameVariable(k, name) {
			delete(e, k)
			break
		}
	}
	e[name] = value
}

func (e environment) lookup(name string) (string, bool) {
	if v, ok := e[name]; ok || runtime.GOOS != "windows" {
		return v, ok
	}
	for k, v := range e {
		if module.SameVariable(k, name) {
			return v, true
		}
	}
	return "", false
}

// list has the form KEY=value, sorted.
func (e environment) list() []string {
	out := make([]string, 0, len(e))
	for _, k := range slices.Sorted(maps.Keys(e)) {
		out = append(out, k+"="+e[k])
	}
	return out
}
