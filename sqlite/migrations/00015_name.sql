-- +goose Up

-- Names are found by the positions in the lists, which begin with them: only
-- the list by date needs terms of them. And a posting's term is looked up when
-- it is written, and never deleted, so nobody needs to check it.
ALTER TABLE posting RENAME TO posting_before;

CREATE TABLE posting (
	term     INTEGER NOT NULL,
	position BLOB NOT NULL,
	record   INTEGER NOT NULL,
	PRIMARY KEY (term, position)
) STRICT, WITHOUT ROWID;

INSERT INTO posting (term, position, record)
	SELECT term, position, record FROM posting_before
	WHERE term NOT IN (SELECT id FROM term WHERE attribute = 'name' AND list <> 3)
	ORDER BY term, position;

DROP TABLE posting_before;

DELETE FROM term WHERE attribute = 'name' AND list <> 3;
