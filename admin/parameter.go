package admin

import "time"

// Parameter is an entry of the parameter store, which recipes name as ssm:NAME.
type Parameter struct {
	Account  string    `json:"account"`
	Region   string    `json:"region"`
	Name     string    `json:"name"`
	Value    string    `json:"value"`
	DataType string    `json:"dataType"` // text or aws:ec2:image
	Version  int64     `json:"version"`
	Modified time.Time `json:"modified"`
}

// ParameterName asks for one parameter, or with an empty name for all of the
// account in the region. Empty members are the server's own. Operations:
// "parameter/put" takes a Parameter; "parameter/list", "parameter/get" and
// "parameter/remove" a ParameterName.
type ParameterName struct {
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
	Name    string `json:"name,omitempty"`
}
