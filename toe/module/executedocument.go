package module

import "context"

var executeDocument = Module{
	Name:        "ExecuteDocument",
	Description: "Runs another component document as part of the step.",
	Platforms:   anywhere,
	Once:        true,
	Inputs: []Input{
		{Name: "document", Type: String, Required: true, Description: "Path of a file, s3://bucket/key, or ARN of a component; the version may be incomplete or have wildcards."},
		{Name: "document-s3-bucket-owner", Type: String, Description: "Account that must own the bucket of the document."},
		{Name: "phases", Type: String, Default: "all", Description: "Comma-separated list of the phases to run."},
		{Name: "parameters", Type: Pairs, Description: "Values of the document's parameters."},
	},
	Outputs: []Output{
		{Name: "executedStepCount", Type: Integer, Description: "How many steps ran."},
		{Name: "executionId", Type: String, Description: "Id of the document's own run."},
		{Name: "failedStepCount", Type: Integer, Description: "How many steps failed."},
		{Name: "failureMessage", Type: String, Description: "Why the document failed; empty if it has not."},
		{Name: "ignoredFailedStepCount", Type: Integer, Description: "How many steps failed whose failure is ignored."},
		{Name: "logUrl", Type: String, Description: "Log folder, which is that of the whole run."},
		{Name: "status", Type: String, Description: "success, failed or successWithIgnoredFailure."},
	},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		in := c.Inputs[0]
		return c.Execute(ctx, Nested{
			Document: in.String("document"), BucketOwner: in.String("document-s3-bucket-owner"),
			Phases: in.String("phases"), Parameters: in.Pairs("parameters"),
		})
	},
}
