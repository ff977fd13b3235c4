package admin

import "time"

// Instance is a machine that runs, or was kept after a failure.
type Instance struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Phase   string    `json:"phase"`
	Purpose string    `json:"purpose,omitempty"` // the image it builds or tests, or "launched"
	Kept    bool      `json:"kept,omitempty"`    // after a failure, by terminateInstanceOnFailure: false
	Address string    `json:"address,omitempty"`
	Boots   int       `json:"boots"`
	Started time.Time `json:"started"`
	Console string    `json:"console"` // file with the text of its console
}

// Operations on instances: "instance/list", "instance/exec", "instance/stop".
type (
	// InstanceName asks for one instance.
	InstanceName struct {
		ID string `json:"id"`
	}
	// InstanceExec runs a shell command in an instance.
	InstanceExec struct {
		ID      string `json:"id"`
		Command string `json:"command"`
	}
	// InstanceExit is how the command ended.
	InstanceExit struct {
		Code int `json:"code"`
	}
)
