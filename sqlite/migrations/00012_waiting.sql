-- +goose Up
-- The steps that wait for somebody's action, by account and region.
ALTER TABLE step_execution ADD COLUMN waiting TEXT;
CREATE INDEX step_execution_waiting ON step_execution (waiting, id) WHERE waiting IS NOT NULL;
