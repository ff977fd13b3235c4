-- +goose Up

-- What somebody is to be told, in the order of writing.
CREATE TABLE message (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	uuid    TEXT NOT NULL,
	channel TEXT NOT NULL,
	name    TEXT NOT NULL,
	about   TEXT NOT NULL, -- ARN
	subject TEXT NOT NULL,
	created INTEGER NOT NULL, -- nanoseconds since 1970, as all times here
	body    TEXT NOT NULL,
	open    INTEGER,  -- deliveries that have not ended well; NULL: not routed yet
	settled INTEGER   -- when open last changed
) STRICT;
CREATE INDEX message_new ON message (id) WHERE open IS NULL;
CREATE INDEX message_settled ON message (settled) WHERE open = 0;

-- A message on its way to one endpoint; deleted when it has arrived. Of those
-- to one endpoint about one resource only the first has a time at which it is due.
CREATE TABLE delivery (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	message  INTEGER NOT NULL REFERENCES message,
	endpoint TEXT NOT NULL,
	about    TEXT NOT NULL, -- as in the message
	attempts INTEGER NOT NULL,
	due      INTEGER,       -- NULL: behind another, or dead
	died     INTEGER,       -- NULL: alive
	problem  TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_message ON delivery (message);
CREATE INDEX delivery_due ON delivery (endpoint, due, id) WHERE due IS NOT NULL;
CREATE INDEX delivery_line ON delivery (endpoint, about, id) WHERE died IS NULL;
CREATE INDEX delivery_alive ON delivery (id) WHERE died IS NULL;
CREATE INDEX delivery_dead ON delivery (id) WHERE died IS NOT NULL;
CREATE INDEX delivery_died ON delivery (died) WHERE died IS NOT NULL;
