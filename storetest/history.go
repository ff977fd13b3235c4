package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot"
)

// consumer is an account that others share with.
const consumer = "222233334444"

// histories runs random creates, updates and deletes, and compares every kind
// of list with the model's after each of them.
func histories(t *testing.T, s ingot.Store) {
	regions := 0
	rapid.Check(t, func(rt *rapid.T) {
		regions++ // a region to itself: the store is not emptied between runs
		m := &history{store: s, region: fmt.Sprintf("us-east-%d", regions), records: map[string]ingot.Record{}}
		for range rapid.IntRange(1, 12).Draw(rt, "operations") {
			m.step(t, rt)
			m.compare(t, rt)
		}
	})
}

type history struct {
	store   ingot.Store
	region  string
	clock   int
	records map[string]ingot.Record // by key
}

func (m *history) draw(rt *rapid.T) ingot.ARN {
	kind := rapid.SampledFrom([]string{"image", "image-recipe", "image-pipeline"}).Draw(rt, "kind")
	tail := kind + "/" + rapid.SampledFrom([]string{"a", "a-b", "b"}).Draw(rt, "name")
	if kind != "image-pipeline" {
		tail += "/" + rapid.SampledFrom([]string{"1.0.0", "1.0.2", "1.2.0", "2.0.0"}).Draw(rt, "version")
	}
	if kind == "image" {
		tail += "/" + fmt.Sprint(rapid.IntRange(1, 3).Draw(rt, "build"))
	}
	a, err := ingot.ParseARN("arn:aws:imagebuilder:" + m.region + ":111122223333:" + tail)
	if err != nil {
		rt.Fatal(err)
	}
	return a
}

// step creates the drawn record, or changes or deletes it if it is there.
func (m *history) step(t *testing.T, rt *rapid.T) {
	ctx := t.Context()
	a := m.draw(rt)
	status := rapid.SampledFrom([]string{"AVAILABLE", "FAILED"}).Draw(rt, "status")
	platform := rapid.SampledFrom([]string{"Linux", "Windows"}).Draw(rt, "platform")
	shares := map[ingot.Share][]string{}
	if rapid.Bool().Draw(rt, "shared") {
		shares[ingot.ShareList] = []string{consumer}
	}
	old, exists := m.records[a.Key()]
	var change func(ingot.Tx) error
	switch {
	case !exists:
		m.clock++
		r := ingot.Record{
			ARN: a, Name: strings.ToUpper(a.Name), Status: status, Created: noon.Add(time.Duration(m.clock) * time.Second),
			Attributes: map[string][]string{"platform": {platform}}, Document: []byte(`{}`), Shares: shares, Tags: drawTags(rt),
		}
		if a.Kind == ingot.KindImage && rapid.Bool().Draw(rt, "by a pipeline") {
			r.Attributes[ingot.FilterSource] = []string{"p"}
		}
		m.records[a.Key()] = r
		change = func(tx ingot.Tx) error { return tx.Create(ctx, r) }
	case rapid.Bool().Draw(rt, "delete"):
		delete(m.records, a.Key())
		change = func(tx ingot.Tx) error { return tx.Delete(ctx, a) }
	case rapid.Bool().Draw(rt, "tag"):
		old.Tags = drawTags(rt)
		m.records[a.Key()] = old
		change = func(tx ingot.Tx) error { return tx.SetTags(ctx, a, old.Tags) }
	default:
		old.Status, old.Shares = status, shares
		old.Attributes["platform"] = []string{platform}
		m.records[a.Key()] = old
		change = func(tx ingot.Tx) error {
			_, err := tx.Update(ctx, a, nil, func(r *ingot.Record) error {
				r.Status, r.Shares = status, shares
				r.Attributes["platform"] = []string{platform}
				return nil
			})
			return err
		}
	}
	if err := m.store.Write(ctx, change); err != nil {
		rt.Fatal(err)
	}
}

func drawTags(rt *rapid.T) map[string]string {
	return rapid.MapOfN(rapid.SampledFrom([]string{"team", "keep"}), rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(rt, "tags")
}

func (m *history) compare(t *testing.T, rt *rapid.T) {
	sets := [][]ingot.Filter{
		nil,
		{{Name: "platform", Values: []string{"Linux", "Windows"}}, {Name: "status", Values: []string{"AVAILABLE"}}},
		{{Name: "version", Values: []string{"1.0", "2.x.x"}}, {Name: "name", Values: []string{"A", "b", "a-b"}}},
		{{Name: "version", Values: []string{"1.0.00"}}},
	}
	for _, kind := range []ingot.Kind{ingot.KindImage, ingot.KindImageRecipe, ingot.KindPipeline} {
		for _, filters := range sets {
			for _, collapse := range []ingot.Collapse{ingot.Builds, ingot.Versions, ingot.Names} {
				if collapse == ingot.Builds || kind.HasBuilds() {
					m.compareList(t, rt, ingot.Query{Kind: kind, Filters: filters, Collapse: collapse})
					m.compareList(t, rt, ingot.Query{Kind: kind, Filters: filters, Collapse: collapse, Shared: ingot.ShareList})
				}
			}
		}
	}
	tags := ingot.Filter{Name: ingot.FilterTag, Values: []string{"team=a", "keep=b"}}
	m.compareList(t, rt, ingot.Query{Kind: ingot.KindImage, Filters: []ingot.Filter{tags}})
	m.compareList(t, rt, ingot.Query{Kind: ingot.KindImage, Filters: append(slices.Clone(sets[2]), tags)})
	source := ingot.Filter{Name: ingot.FilterSource, Values: []string{"p"}}
	m.compareList(t, rt, ingot.Query{Kind: ingot.KindImage, Newest: true, Filters: []ingot.Filter{source}})
	m.compareList(t, rt, ingot.Query{Kind: ingot.KindImage, Newest: true, Filters: append(slices.Clone(sets[2]), source)})
}

func (m *history) compareList(t *testing.T, rt *rapid.T, q ingot.Query) {
	q.Scope = ingot.Scope{Account: scope.Account, Region: m.region}
	if q.Shared != "" {
		q.Scope.Account = consumer
	}
	q.Limit = rapid.IntRange(1, 4).Draw(rt, "limit")
	got := all(t.Context(), rt, m.store, q)
	if diff := cmp.Diff(m.list(q), got); diff != "" {
		rt.Fatalf("List(%+v) (-want +got):\n%s", q, diff)
	}
	n, err := m.store.Count(t.Context(), q)
	if err != nil || n != min(q.Limit, len(got)) {
		rt.Fatalf("Count(%+v) = %d, %v; want %d", q, n, err, min(q.Limit, len(got)))
	}
}

// list is the model's answer.
func (m *history) list(q ingot.Query) (tails []string) {
	var sorted []ingot.Record
	for _, r := range m.records {
		if r.ARN.Kind == q.Kind && (q.Shared == "" || len(r.Shares[q.Shared]) > 0) {
			sorted = append(sorted, r)
		}
	}
	slices.SortFunc(sorted, func(a, b ingot.Record) int {
		if q.Newest {
			return b.Created.Compare(a.Created)
		}
		if c := strings.Compare(a.ARN.Name, b.ARN.Name); c != 0 {
			return c
		}
		if c := b.ARN.Version.Compare(a.ARN.Version); c != 0 {
			return c
		}
		return b.ARN.Build - a.ARN.Build
	})
	seen := map[string]bool{}
	for _, r := range sorted {
		entry := map[ingot.Collapse]string{
			ingot.Builds: r.ARN.Key(), ingot.Versions: r.ARN.VersionARN().Key(), ingot.Names: r.ARN.Name,
		}[q.Collapse]
		if seen[entry] {
			continue
		}
		seen[entry] = true
		if matches(r, q.Filters) {
			tails = append(tails, tail(r.ARN))
		}
	}
	return tails
}

func matches(r ingot.Record, filters []ingot.Filter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(f.Values, func(v string) bool { return matchesValue(r, f.Name, v) }) {
			return false
		}
	}
	return true
}

func matchesValue(r ingot.Record, name, value string) bool {
	switch name {
	case "name":
		return value == r.Name || value == r.ARN.Name
	case "status":
		return value == r.Status
	case ingot.FilterTag:
		key, value, _ := strings.Cut(value, "=")
		return r.Tags[key] == value
	case "version":
		nodes := strings.Split(strings.TrimSuffix(strings.ReplaceAll(value, ".00", ".0"), ".x.x"), ".")
		have := strings.Split(r.ARN.Version.String(), ".")
		return !r.ARN.Version.IsZero() && slices.Equal(nodes, have[:len(nodes)])
	}
	return slices.Contains(r.Attributes[name], value)
}
