package admin

// Base is a managed base image of the catalogue.
type Base struct {
	Name        string `json:"name"` // as in the ARN: debian-12-x86
	DisplayName string `json:"displayName"`
	OSVersion   string `json:"osVersion"`
	DefaultUser string `json:"defaultUser,omitempty"`
	Source      string `json:"source"` // how it is made: "build", "pull" or "import"
	Built       bool   `json:"built"`  // its disk is here
	AMI         string `json:"ami,omitempty"`
	ImageARN    string `json:"image,omitempty"`
}

// Operations on bases: "base/list", "base/add", "base/remove".
type (
	// BaseRegion asks for the bases of a region; without a name of the server's
	// first.
	BaseRegion struct {
		Region string `json:"region,omitempty"`
	}
	// BaseName asks for one base.
	BaseName struct {
		BaseRegion
		Name string `json:"name"`
	}
	// BaseAdd makes a disk file the base of a name.
	BaseAdd struct {
		BaseRegion
		Name   string `json:"name"`
		Path   string `json:"path"` // absolute
		Format string `json:"format,omitempty"`
	}
)

// None is the request or result of an operation that has none.
type None struct{}
