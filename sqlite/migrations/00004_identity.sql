-- +goose Up

CREATE TABLE account (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	created INTEGER NOT NULL -- nanoseconds since 1970
) STRICT, WITHOUT ROWID;

-- Users and roles. An id is never given twice.
CREATE TABLE principal (
	account TEXT NOT NULL REFERENCES account,
	kind    TEXT NOT NULL,
	name    TEXT NOT NULL,
	id      TEXT NOT NULL UNIQUE,
	tags    TEXT NOT NULL, -- JSON
	created INTEGER NOT NULL,
	PRIMARY KEY (account, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity_policy (
	account   TEXT NOT NULL,
	kind      TEXT NOT NULL,
	principal TEXT NOT NULL,
	name      TEXT NOT NULL,
	document  TEXT NOT NULL,
	PRIMARY KEY (account, kind, principal, name),
	FOREIGN KEY (account, kind, principal) REFERENCES principal ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Keys, and sessions, which have a token and expire.
CREATE TABLE access_key (
	id        TEXT PRIMARY KEY,
	secret    TEXT NOT NULL,
	account   TEXT NOT NULL,
	kind      TEXT NOT NULL,
	principal TEXT NOT NULL,
	disabled  INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	session   TEXT NOT NULL,    -- empty for a key
	token     TEXT NOT NULL,
	expires   INTEGER NOT NULL, -- 0: never
	FOREIGN KEY (account, kind, principal) REFERENCES principal ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX access_key_principal ON access_key (account, kind, principal, id);
CREATE INDEX access_key_expires ON access_key (expires) WHERE expires > 0;

-- Accounts that the policy lets get and list the record, as JSON.
ALTER TABLE record ADD COLUMN shares TEXT NOT NULL DEFAULT '{}';
