-- +goose Up

-- How many records there are, so that checking a quota need not count them.
CREATE TABLE record_count (
	scope   TEXT NOT NULL,
	kind    TEXT NOT NULL,
	records INTEGER NOT NULL,
	PRIMARY KEY (scope, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO record_count (scope, kind, records)
	SELECT term.scope, term.kind, count(*) FROM term JOIN posting ON posting.term = term.id
	WHERE term.list = 0 AND term.attribute = '' AND term.value = '' GROUP BY term.scope, term.kind;
