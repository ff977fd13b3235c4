package sqlite

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot"
)

var testScope = ingot.Scope{Account: "111122223333", Region: "us-east-1"}

func openTest(t testing.TB) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// plan is what SQLite does for a statement, a line per loop.
func plan(t *testing.T, db *DB, text string, args ...any) (lines []string) {
	t.Helper()
	err := db.each(t.Context(), `EXPLAIN QUERY PLAN `+text, args, func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		lines = append(lines, detail)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestPagesReadRanges holds every kind of page to index ranges in list order:
// no scan of a table and no sort.
func TestPagesReadRanges(t *testing.T) {
	db := openTest(t)
	a, err := ingot.ParseARN("arn:aws:imagebuilder:us-east-1:111122223333:image/demo/1.0.0/1")
	if err != nil {
		t.Fatal(err)
	}
	r := ingot.Record{
		ARN: a, Name: "Demo", Tags: map[string]string{"a": "b", "c": "d"}, Status: "AVAILABLE", Created: time.Unix(1, 0), Document: []byte(`{}`),
		Shares:     map[ingot.Share][]string{ingot.ShareList: {testScope.Account}}, // with itself, which the store does not mind
		Attributes: map[string][]string{"platform": {"Linux"}, "osVersion": {"Debian 12", "Debian 13"}, ingot.FilterSource: {"p"}},
	}
	if err := db.Write(t.Context(), func(tx ingot.Tx) error { return tx.Create(t.Context(), r) }); err != nil {
		t.Fatal(err)
	}
	filter := func(name string, values ...string) ingot.Filter { return ingot.Filter{Name: name, Values: values} }
	for name, q := range map[string]ingot.Query{
		"all builds":    {},
		"versions":      {Collapse: ingot.Versions},
		"names, paged":  {Collapse: ingot.Names, After: "demo"},
		"one version":   {Under: a.VersionARN()},
		"one filter":    {Filters: []ingot.Filter{filter("platform", "Linux")}},
		"several":       {Filters: []ingot.Filter{filter("platform", "Linux"), filter("name", "Demo"), filter("version", "1.0")}},
		"several of or": {Filters: []ingot.Filter{filter("osVersion", "Debian 12", "Debian 13"), filter("status", "AVAILABLE")}},
		"names":         {Filters: []ingot.Filter{filter("name", "Demo", "demo", "other")}, Collapse: ingot.Versions},
		"newest, named": {Newest: true, Filters: []ingot.Filter{filter(ingot.FilterSource, "p"), filter("name", "Demo")}},
		"shared":        {Shared: ingot.ShareList, Filters: []ingot.Filter{filter("platform", "Linux")}},
		"by tags":       {Filters: []ingot.Filter{filter(ingot.FilterTag, ingot.TagTerm("a", "b"), ingot.TagTerm("c", "d"))}},
		"newest":        {Newest: true, Filters: []ingot.Filter{filter(ingot.FilterSource, "p")}},
	} {
		q.Scope, q.Kind = testScope, ingot.KindImage
		sel, err := db.selection(t.Context(), q, 25)
		if err != nil || sel.text == "" {
			t.Fatalf("%s: %q, %v", name, sel.text, err)
		}
		for _, line := range plan(t, db, entriesQuery(sel), sel.args...) {
			if strings.HasPrefix(line, "SCAN") && line != "SCAN entry" || strings.Contains(line, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestLookupsUseIndexes(t *testing.T) {
	db := openTest(t)
	for _, text := range []string{
		`SELECT document FROM record WHERE key = 'k'`,
		`SELECT arn FROM reference WHERE record = 1`,
		`SELECT record FROM reference WHERE target = 'k'`,
		`SELECT document FROM workflow_execution WHERE image = 'k' AND (started, id) < ('a', 'b') ORDER BY started DESC, id DESC LIMIT 5`,
		`SELECT document FROM step_execution WHERE execution = 'k' AND (position, id) > (1, 'b') ORDER BY position, id LIMIT 5`,
		executionsOfPolicy, executionsOfImage, resourcesOfExecution, activeOfPolicy, activeOfImage, openOfPolicy, openImages, actingUpdates,
		ticksQuery, lastDependencies, amisOfSnapshot,
		`SELECT name FROM image_package WHERE image = 'k' AND (name, version) > ('a', 'b') ORDER BY name, version LIMIT 5`,
		newMessages, messagesBefore, dueDeliveries, aliveDeliveries, deadDeliveries, deliveriesThatDied, messagesSettled,
		`SELECT id FROM delivery WHERE endpoint = 'e' AND about = 'a' AND died IS NULL ORDER BY id LIMIT 1`,
		`SELECT min(endpoint) FROM delivery WHERE due IS NOT NULL AND endpoint > 'e'`,
		`SELECT account FROM token WHERE expires <= 1 LIMIT 5`,
		`SELECT id FROM access_key WHERE account = 'a' AND kind = 'user' AND principal = 'p' ORDER BY id`,
		`DELETE FROM access_key WHERE expires > 0 AND expires < 1`,
		`SELECT document FROM ami WHERE region = 'r' AND account = 'a' ORDER BY id`,
	} {
		for _, line := range plan(t, db, strings.ReplaceAll(text, "?", "1")) {
			// What is new is all of its index.
			if strings.HasPrefix(line, "SCAN") && line != "SCAN message USING INDEX message_new" || strings.Contains(line, "TEMP B-TREE") {
				t.Errorf("%s: %s", text, line)
			}
		}
	}
}
