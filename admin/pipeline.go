package admin

import "time"

// Pipeline is a pipeline and when it runs. Times that are zero are absent.
type Pipeline struct {
	ARN           string    `json:"arn"`
	Name          string    `json:"name"`
	Status        string    `json:"status"` // ENABLED or DISABLED
	Schedule      string    `json:"schedule,omitempty"`
	Timezone      string    `json:"timezone,omitempty"`
	Condition     string    `json:"startCondition,omitempty"`
	NextRun       time.Time `json:"nextRun,omitzero"`
	LastRun       string    `json:"lastRun,omitempty"` // start of the last execution, by hand or by schedule
	LastRunStatus string    `json:"lastRunStatus,omitempty"`
	LastImage     string    `json:"lastImage,omitempty"`
	Failures      int       `json:"consecutiveFailures,omitempty"`
	FailureLimit  int       `json:"failureLimit,omitempty"` // failures in a row that disable it; 0: none
}

// Tick is one instant of a pipeline's schedule and what became of it.
type Tick struct {
	At      time.Time `json:"at"`      // nominal
	Time    time.Time `json:"time"`    // when the server looked at it
	Outcome string    `json:"outcome"` // started, skipped, failed or missed
	Reason  string    `json:"reason"`
	Image   string    `json:"image,omitempty"`
}

// Operations on pipelines: "pipeline/list", "pipeline/show", "pipeline/why".
type (
	// PipelineName asks for one pipeline, by its name or ARN.
	PipelineName struct {
		Pipeline string `json:"pipeline"`
	}
	// PipelineWhy asks for the last ticks of a pipeline.
	PipelineWhy struct {
		Pipeline string `json:"pipeline"`
		Limit    int    `json:"limit"`
	}
	// PipelineTicks are the last ticks of a pipeline, newest first.
	PipelineTicks struct {
		Pipeline Pipeline `json:"pipeline"`
		Ticks    []Tick   `json:"ticks"`
	}
)
