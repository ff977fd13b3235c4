package sqlite

import (
	"encoding/hex"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"ingot.dev/ingot"
)

// beforeIdentity is the last version of the tables without accounts.
const beforeIdentity = 3

// TestOldDataDirectory: a file of the time before accounts has its records
// after it is opened, and takes an administrator.
func TestOldDataDirectory(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "ingot.db")
	const arn = "arn:aws:imagebuilder:us-east-1:111122223333:image-pipeline/nightly"
	const image = "arn:aws:imagebuilder:us-east-1:111122223333:image/demo/1.0.0/1"
	imageARN, err := ingot.ParseARN(image)
	if err != nil {
		t.Fatal(err)
	}
	makeOld(t, path, beforeIdentity, []string{
		`INSERT INTO record (id, key, arn, name, status, created, updated, attributes, document, tags, policy)
			VALUES (1, '` + arn + `', '` + arn + `', 'nightly', 'ENABLED', 1, 1, '{}', '{}', '{"a":"b"}', '')`,
		`INSERT INTO term (id, list, scope, kind, attribute, value) VALUES (1, 0, 'us-east-1/111122223333', 'image-pipeline', '', '')`,
		`INSERT INTO posting (term, position, record) VALUES (1, CAST('nightly' || char(0) AS BLOB), 1)`,
		`INSERT INTO term (id, list, scope, kind, attribute, value) VALUES (3, 0, 'us-east-1/111122223333', 'image-pipeline', 'name', 'nightly')`,
		`INSERT INTO posting (term, position, record) VALUES (3, CAST('nightly' || char(0) AS BLOB), 1)`,
		`INSERT INTO record (id, key, arn, name, status, created, updated, attributes, document, tags, policy)
			VALUES (2, '` + image + `', '` + image + `', 'demo', 'AVAILABLE', 1, 1, '{}', '{}', '{"team":"a","keep":"b"}', '')`,
		`INSERT INTO term (id, list, scope, kind, attribute, value) VALUES (2, 0, 'us-east-1/111122223333', 'image', '', '')`,
		`INSERT INTO posting (term, position, record) VALUES (2, x'` + hex.EncodeToString(ownView(testScope).position(listBuilds, imageARN, 1)) + `', 2)`,
	})

	db, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := db.List(ctx, ingot.Query{Scope: testScope, Kind: ingot.KindPipeline, Limit: 5})
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("List = %v, %v, want the old pipeline", page.Records, err)
	}
	if r := page.Records[0]; r.ARN.String() != arn || r.Tags["a"] != "b" || len(r.Shares) != 0 || r.Shares == nil {
		t.Errorf("the old pipeline is %+v", r)
	}
	var left int
	if err := db.scan(ctx, `SELECT count(*) FROM posting LEFT JOIN term ON term.id = posting.term WHERE term.id IS NULL OR term.attribute = 'name'`, nil, &left); err != nil || left != 0 {
		t.Errorf("%d postings of names are left, %v", left, err)
	}
	tagged := ingot.Query{Scope: testScope, Kind: ingot.KindImage, Limit: 5, Filters: []ingot.Filter{{Name: ingot.FilterTag, Values: []string{"keep=b"}}}}
	if page, err = db.List(ctx, tagged); err != nil || len(page.Records) != 1 || page.Records[0].ARN != imageARN {
		t.Errorf("List by a tag = %v, %v, want the old image", page.Records, err)
	}
	err = db.Write(ctx, func(tx ingot.Tx) error {
		return ingot.PutAdministrator(ctx, tx, testScope.Account, ingot.AccessKey{ID: "AKIA1", Secret: "s"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if k, err := db.AccessKey(ctx, "AKIA1"); err != nil || k.Holder.Account != testScope.Account {
		t.Errorf("AccessKey = %+v, %v", k, err)
	}
}

// makeOld makes a file with the tables of a version, and rows in them.
func makeOld(t *testing.T, path string, version int64, rows []string) {
	t.Helper()
	old, err := openPool(path, 1, busyWait)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, old, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, text := range rows {
		if _, err := old.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
}

// beforeBacklog is the last version of the tables without a count of deliveries.
const beforeBacklog = 18

// TestOldDeliveries: deliveries of the time before they were counted are.
func TestOldDeliveries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ingot.db")
	const delivery = `INSERT INTO delivery (message, endpoint, about, attempts, due, died, problem) VALUES (1, 'x', 'a', 0, `
	makeOld(t, path, beforeBacklog, []string{
		`INSERT INTO message (id, uuid, channel, name, about, subject, created, body) VALUES (1, 'u', 'events', 'n', 'a', 's', 1, '{}')`,
		delivery + `1, NULL, '')`, delivery + `NULL, NULL, '')`, delivery + `NULL, 7, 'no')`,
	})
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got, err := db.Backlog(t.Context()); err != nil || got != (ingot.Backlog{Waiting: 2, Dead: 1}) {
		t.Errorf("Backlog() = %+v, %v, want 2 that wait and one dead", got, err)
	}
}
