-- +goose Up

-- The resource policy, as its owner wrote it; empty: none.
ALTER TABLE record ADD COLUMN policy TEXT NOT NULL DEFAULT '';
