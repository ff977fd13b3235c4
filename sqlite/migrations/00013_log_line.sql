-- +goose Up

-- Lines of the logs of pipelines that are not written yet.
CREATE TABLE log_line (
	id        INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of the log
	account   TEXT NOT NULL,
	region    TEXT NOT NULL,
	log_group TEXT NOT NULL,
	stream    TEXT NOT NULL,
	line      TEXT NOT NULL
) STRICT;
