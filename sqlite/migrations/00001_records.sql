-- +goose Up

-- One resource: key is its ARN with the version as a number.
CREATE TABLE record (
	id         INTEGER PRIMARY KEY,
	key        TEXT NOT NULL UNIQUE,
	arn        TEXT NOT NULL,
	name       TEXT NOT NULL,
	status     TEXT NOT NULL,
	created    INTEGER NOT NULL, -- nanoseconds since 1970
	updated    INTEGER NOT NULL,
	attributes TEXT NOT NULL,    -- JSON: filter name to values
	document   TEXT NOT NULL,
	tags       TEXT NOT NULL
) STRICT;

-- The lists are an inverted index. A term is one filter value in one list of
-- one kind and scope; attribute '' is everything. Its postings are the records
-- that have it, in the order of the list.
CREATE TABLE term (
	id        INTEGER PRIMARY KEY,
	list      INTEGER NOT NULL,
	scope     TEXT NOT NULL,
	kind      TEXT NOT NULL,
	attribute TEXT NOT NULL,
	value     TEXT NOT NULL,
	UNIQUE (scope, kind, list, attribute, value)
) STRICT;

CREATE TABLE posting (
	term     INTEGER NOT NULL REFERENCES term,
	position BLOB NOT NULL,
	record   INTEGER NOT NULL,
	PRIMARY KEY (term, position)
) STRICT, WITHOUT ROWID;

-- What a record names: deletes ask who names them.
CREATE TABLE reference (
	target TEXT NOT NULL, -- key of an ARN
	record INTEGER NOT NULL REFERENCES record ON DELETE CASCADE,
	arn    TEXT NOT NULL, -- as the record names it
	PRIMARY KEY (target, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX reference_record ON reference (record);

-- Builds counted so far, per version; rows outlive the builds.
CREATE TABLE build_count (
	version TEXT PRIMARY KEY,
	builds  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
	account   TEXT NOT NULL,
	region    TEXT NOT NULL,
	operation TEXT NOT NULL,
	token     TEXT NOT NULL,
	digest    TEXT NOT NULL,
	response  TEXT NOT NULL,
	expires   INTEGER NOT NULL, -- nanoseconds since 1970
	PRIMARY KEY (account, region, operation, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_expires ON token (expires);

CREATE TABLE secret (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_execution (
	id       TEXT PRIMARY KEY,
	image    TEXT NOT NULL, -- key of the image build
	started  TEXT NOT NULL, -- startTime of the document: sorts as text
	document TEXT NOT NULL
) STRICT;
CREATE INDEX workflow_execution_image ON workflow_execution (image, started, id);

CREATE TABLE step_execution (
	id        TEXT PRIMARY KEY,
	execution TEXT NOT NULL,
	position  INTEGER NOT NULL,
	document  TEXT NOT NULL
) STRICT;
CREATE INDEX step_execution_execution ON step_execution (execution, position, id);

CREATE TABLE image_package (
	image   TEXT NOT NULL, -- key of the image build
	name    TEXT NOT NULL,
	version TEXT NOT NULL,
	PRIMARY KEY (image, name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE ami (
	region   TEXT NOT NULL,
	id       TEXT NOT NULL,
	account  TEXT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (region, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ami_account ON ami (region, account, id);
