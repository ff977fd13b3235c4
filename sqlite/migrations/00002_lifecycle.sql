-- +goose Up

-- Executions outlive the policies and images that they are of.
CREATE TABLE lifecycle_execution (
	id       TEXT PRIMARY KEY,
	policy   TEXT NOT NULL, -- key of the policy; empty for an update by hand
	started  INTEGER NOT NULL, -- milliseconds since 1970
	status   TEXT NOT NULL,
	document TEXT NOT NULL
) STRICT;
CREATE INDEX lifecycle_execution_policy ON lifecycle_execution (policy, started, id);

-- What an execution did: to images, and to the outputs of each.
CREATE TABLE lifecycle_resource (
	execution TEXT NOT NULL REFERENCES lifecycle_execution,
	parent    TEXT NOT NULL, -- key of the image that the resource is an output of; empty for an image
	resource  TEXT NOT NULL, -- key of the image; for an output its region, account and id
	started   INTEGER NOT NULL, -- of the execution
	document  TEXT NOT NULL,
	PRIMARY KEY (execution, parent, resource)
) STRICT, WITHOUT ROWID;
CREATE INDEX lifecycle_resource_resource ON lifecycle_resource (resource, started, execution);
