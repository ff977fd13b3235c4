-- +goose Up

-- The name of an AMI, for the rule that an account has it once in a region.
ALTER TABLE ami ADD COLUMN name TEXT GENERATED ALWAYS AS (json_extract(document, '$.Name')) VIRTUAL;
CREATE INDEX ami_name ON ami (region, account, name);

CREATE TABLE parameter (
	region   TEXT NOT NULL,
	account  TEXT NOT NULL,
	name     TEXT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (region, account, name)
) STRICT, WITHOUT ROWID;
