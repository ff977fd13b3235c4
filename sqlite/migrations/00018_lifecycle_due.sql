-- +goose Up

-- When enabled lifecycle policies run, and executions go on.
CREATE TABLE lifecycle_due (
	subject TEXT PRIMARY KEY, -- ARN of a policy, or id of an execution
	at      INTEGER NOT NULL  -- nanoseconds since 1970; 0: to be worked out
) STRICT, WITHOUT ROWID;
CREATE INDEX lifecycle_due_at ON lifecycle_due (at);

INSERT INTO lifecycle_due (subject, at) SELECT arn, 0 FROM record WHERE arn LIKE '%:lifecycle-policy/%' AND status = 'ENABLED';

-- The images of an execution that it has not dealt with.
CREATE INDEX lifecycle_resource_open ON lifecycle_resource (execution, resource)
	WHERE parent = '' AND document ->> '$.state.status' = 'IN_PROGRESS';

-- Updates by hand that are acting.
CREATE INDEX lifecycle_execution_update ON lifecycle_execution (document ->> '$.scope.Region', document ->> '$.scope.Account')
	WHERE policy = '' AND status IN ('IN_PROGRESS', 'CANCELLING');
