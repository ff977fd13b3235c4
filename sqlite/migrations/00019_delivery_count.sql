-- +goose Up

-- How many deliveries there are, so that whoever watches need not count them.
CREATE TABLE delivery_count (
	waiting INTEGER NOT NULL, -- alive
	dead    INTEGER NOT NULL
) STRICT;

INSERT INTO delivery_count (waiting, dead) SELECT count(*) - count(died), count(died) FROM delivery;

-- +goose StatementBegin
CREATE TRIGGER delivery_in AFTER INSERT ON delivery BEGIN
	UPDATE delivery_count SET waiting = waiting + (NEW.died IS NULL), dead = dead + (NEW.died IS NOT NULL);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER delivery_out AFTER DELETE ON delivery BEGIN
	UPDATE delivery_count SET waiting = waiting - (OLD.died IS NULL), dead = dead - (OLD.died IS NOT NULL);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER delivery_dies AFTER UPDATE OF died ON delivery BEGIN
	UPDATE delivery_count SET
		waiting = waiting - (OLD.died IS NULL) + (NEW.died IS NULL),
		dead = dead - (OLD.died IS NOT NULL) + (NEW.died IS NOT NULL);
END;
-- +goose StatementEnd
