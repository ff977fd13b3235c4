-- +goose Up

-- Runs that ended long ago are forgotten in this order.
CREATE INDEX flow_run_ended ON flow_run (ended) WHERE ended IS NOT NULL;
