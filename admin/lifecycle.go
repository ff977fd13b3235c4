package admin

import "time"

// LifecycleRow is what a lifecycle policy would do to an image, or to an
// output of it.
type LifecycleRow struct {
	Image    string `json:"image,omitempty"` // of an output
	Resource string `json:"resource"`        // ARN of an image build, or id of an AMI
	Region   string `json:"region"`
	Account  string `json:"account"`
	Action   string `json:"action"`           // DEPRECATE, DISABLE or DELETE
	Why      string `json:"why,omitempty"`    // of the action
	State    string `json:"state"`            // IN_PROGRESS: it would be acted on; SKIPPED, FAILED, or SUCCESS: it is gone
	Reason   string `json:"reason,omitempty"` // of the state
}

// Operations on lifecycle policies: "lifecycle/preview", "lifecycle/run".
type (
	// LifecycleName asks for one policy, by its name or ARN.
	LifecycleName struct {
		Policy string `json:"policy"`
	}
	// LifecyclePreview is what a policy would do if it ran now; each image comes
	// before its outputs.
	LifecyclePreview struct {
		Policy  string         `json:"policy"`
		Status  string         `json:"status"`
		NextRun time.Time      `json:"nextRun,omitzero"`
		Rows    []LifecycleRow `json:"rows"`
	}
)
