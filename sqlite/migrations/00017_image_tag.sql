-- +goose Up

-- The snapshot of an AMI, for who else has it.
ALTER TABLE ami ADD COLUMN snapshot TEXT GENERATED ALWAYS AS (json_extract(document, '$.Snapshot')) VIRTUAL;
CREATE INDEX ami_snapshot ON ami (region, snapshot);

-- The tags of images are terms of their list of builds.
INSERT INTO term (list, scope, kind, attribute, value)
	SELECT DISTINCT term.list, term.scope, term.kind, 'tag', tag.key || '=' || tag.value
	FROM term JOIN posting ON posting.term = term.id JOIN record ON record.id = posting.record, json_each(record.tags) AS tag
	WHERE term.list = 0 AND term.kind = 'image' AND term.attribute = '' AND term.value = ''
		AND term.scope NOT LIKE '%/%/%' -- of other accounts
	ON CONFLICT DO NOTHING;

INSERT INTO posting (term, position, record)
	SELECT tagged.id, posting.position, posting.record
	FROM term JOIN posting ON posting.term = term.id JOIN record ON record.id = posting.record, json_each(record.tags) AS tag
		JOIN term AS tagged ON tagged.scope = term.scope AND tagged.kind = term.kind AND tagged.list = term.list
			AND tagged.attribute = 'tag' AND tagged.value = tag.key || '=' || tag.value
	WHERE term.list = 0 AND term.kind = 'image' AND term.attribute = '' AND term.value = ''
		AND term.scope NOT LIKE '%/%/%' -- of other accounts
	ON CONFLICT DO NOTHING;
