-- +goose Up

-- Enabled pipelines with a schedule, and when they run next.
CREATE TABLE due (
	record INTEGER PRIMARY KEY REFERENCES record ON DELETE CASCADE,
	at     INTEGER NOT NULL -- nanoseconds since 1970; 0: to be worked out
) STRICT;
CREATE INDEX due_at ON due (at);

INSERT INTO due (record, at)
	SELECT id, 0 FROM record
	WHERE arn LIKE '%:image-pipeline/%' AND status = 'ENABLED' AND json_extract(document, '$.schedule') IS NOT NULL;

-- What became of the last instants of a pipeline's schedule.
CREATE TABLE tick (
	record   INTEGER NOT NULL REFERENCES record ON DELETE CASCADE,
	at       INTEGER NOT NULL, -- nanoseconds since 1970, nominal
	document TEXT NOT NULL,
	PRIMARY KEY (record, at)
) STRICT, WITHOUT ROWID;

-- What the images of pipelines were made from. It goes with the image.
CREATE TABLE dependency (
	image    TEXT PRIMARY KEY, -- key of the image build
	pipeline TEXT NOT NULL,    -- key
	arn      TEXT NOT NULL,    -- of the image
	rank     INTEGER NOT NULL, -- grows in the order in which images became AVAILABLE; 0: not yet
	document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dependency_pipeline ON dependency (pipeline, rank);
