package toe

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"ingot.dev/ingot/toe/module"
)

const masked = "*****" // in the place of a secret (§6.7)

// mask hides the secrets that a run has fetched in everything it writes.
type mask struct {
	mu       sync.Mutex
	secrets  []string
	replacer atomic.Pointer[strings.Replacer] // nil as long as there is no secret
}

// add hides a text from now on, also as it looks in quotes and in a URL.
func (m *mask) add(secret string) {
	if secret == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.secrets, secret) {
		return
	}
	quoted := strconv.Quote(secret)
	encoded, err := json.Marshal(secret)
	if err != nil { // a string always encodes
		panic(err)
	}
	m.secrets = append(m.secrets, secret, quoted[1:len(quoted)-1], string(encoded[1:len(encoded)-1]), url.QueryEscape(secret), url.PathEscape(secret))
	slices.SortFunc(m.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the longest that fits
	m.secrets = slices.Compact(m.secrets)
	var pairs []string
	for _, s := range m.secrets {
		pairs = append(pairs, s, masked)
	}
	m.replacer.Store(strings.NewReplacer(pairs...))
}

func (m *mask) text(s string) string {
	if r := m.replacer.Load(); r != nil {
		return r.Replace(s)
	}
	return s
}

func (m *mask) bytes(b []byte) []byte {
	if r := m.replacer.Load(); r != nil {
		return []byte(r.Replace(string(b)))
	}
	return b
}

// attribute masks application.log.
func (m *mask) attribute(_ []string, a slog.Attr) slog.Attr {
	if v := a.Value.Any(); m.replacer.Load() != nil {
		switch v := v.(type) {
		case string:
			a.Value = slog.StringValue(m.text(v))
		case error:
			a.Value = slog.StringValue(m.text(v.Error()))
		}
	}
	return a
}

// values masks inputs and outputs.
func (m *mask) values(list []module.Values) []module.Values {
	if m.replacer.Load() == nil {
		return list
	}
	return mapTexts(list, m.text)
}

// mapTexts are the values with f applied to every text in them.
func mapTexts(list []module.Values, f func(string) string) []module.Values {
	return mapped(list, func(entry module.Values) module.Values {
		out := module.Values{}
		for key, v := range entry {
			out[key] = mapText(v, f)
		}
		return out
	})
}

func mapText(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []string:
		return mapped(v, f)
	case []module.Pair:
		return mapped(v, func(p module.Pair) module.Pair { return module.Pair{Name: f(p.Name), Value: f(p.Value)} })
	case map[string]string:
		out := map[string]string{}
		for key, text := range v {
			out[key] = f(text)
		}
		return out
	default: // numbers and booleans
		return v
	}
}

func mapped[T any](list []T, f func(T) T) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}
