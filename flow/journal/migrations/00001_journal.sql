-- +goose Up

-- One durable function. cancelled is set once. A run is open until ended is set;
-- then its steps are gone and outcome is how it ended: '' for success, else
-- a flow.Error in JSON.
CREATE TABLE flow_run (
	id        TEXT PRIMARY KEY,
	function  TEXT NOT NULL,
	input     BLOB NOT NULL,
	started   TEXT NOT NULL,
	cancelled INTEGER NOT NULL DEFAULT 0,
	state     BLOB,
	ended     TEXT,
	outcome   TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE INDEX flow_run_open ON flow_run (id) WHERE ended IS NULL;

-- What a run asked for, by its place in the function: '2', or '2.0.1' for the
-- second request of the first branch of the group at 2. A wait is written
-- twice: with its deadline, then with its outcome.
CREATE TABLE flow_event (
	run      TEXT NOT NULL REFERENCES flow_run (id) ON DELETE CASCADE,
	position TEXT NOT NULL,
	kind     TEXT NOT NULL, -- step, wait or state
	name     TEXT NOT NULL,
	deadline TEXT,          -- of a wait
	done     INTEGER NOT NULL,
	output   BLOB,
	error    BLOB,          -- a flow.Error in JSON
	PRIMARY KEY (run, position)
) WITHOUT ROWID;

CREATE TABLE flow_signal (
	run   TEXT NOT NULL REFERENCES flow_run (id) ON DELETE CASCADE,
	name  TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (run, name)
) WITHOUT ROWID;
