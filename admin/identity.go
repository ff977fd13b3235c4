package admin

import "time"

// Account is a namespace of resources.
type Account struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// Principal is a user or a role.
type Principal struct {
	Account  string            `json:"account"`
	Kind     string            `json:"kind"` // user or role
	Name     string            `json:"name"`
	ID       string            `json:"id"`
	ARN      string            `json:"arn"`
	Tags     map[string]string `json:"tags"`
	Policies []string          `json:"policies"` // names; with none it may do everything in its account
	Created  time.Time         `json:"created"`
}

// Key is an access key, or a session, without its secrets.
type Key struct {
	ID      string     `json:"id"`
	Account string     `json:"account"`
	Holder  string     `json:"holder"` // as in user/ann
	Status  string     `json:"status"` // enabled, disabled or expired
	Session string     `json:"session,omitempty"`
	Expires *time.Time `json:"expires,omitempty"` // of a session
	Created time.Time  `json:"created"`
}

// Secrets are a new key or session, in the form that the AWS CLI reads from a
// credential_process. Nothing shows them again.
type Secrets struct {
	Version         int        `json:"Version"` // of the form: 1
	AccessKeyID     string     `json:"AccessKeyId"`
	SecretAccessKey string     `json:"SecretAccessKey"`
	SessionToken    string     `json:"SessionToken,omitempty"`
	Expiration      *time.Time `json:"Expiration,omitempty"`
}

// Policy is an identity policy.
type Policy struct {
	Name     string `json:"name"`
	Document string `json:"document"`
}

// Operations on who may use the API: "account/create", "account/list",
// "principal/create", "principal/list", "principal/remove", "key/create",
// "key/list", "key/enable", "key/remove", "session/create", "policy/attach",
// "policy/list", "policy/detach".
type (
	// AccountName makes an account.
	AccountName struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	// PrincipalName names a user or a role; without a name all of the kind.
	PrincipalName struct {
		Account string            `json:"account"`
		Kind    string            `json:"kind"`
		Name    string            `json:"name,omitempty"`
		Tags    map[string]string `json:"tags,omitempty"` // of a new one
	}
	// KeyName names a key.
	KeyName struct {
		ID string `json:"id"`
	}
	// KeyEnable lets a key sign requests or not.
	KeyEnable struct {
		ID      string `json:"id"`
		Enabled bool   `json:"enabled"`
	}
	// SessionCreate asks for temporary credentials.
	SessionCreate struct {
		Holder  PrincipalName `json:"holder"`
		Name    string        `json:"name"`
		Seconds int           `json:"seconds"`
	}
	// PolicyAttach attaches a policy, or replaces the one of its name.
	PolicyAttach struct {
		To     PrincipalName `json:"to"`
		Policy Policy        `json:"policy"`
	}
	// PolicyDetach detaches a policy.
	PolicyDetach struct {
		From PrincipalName `json:"from"`
		Name string        `json:"name"`
	}
)
