package admin

import "time"

// Image is a registered machine image, built or base.
type Image struct {
	ID           string            `json:"id"` // AMI id
	Name         string            `json:"name"`
	Description  string            `json:"description,omitempty"`
	Owner        string            `json:"owner"` // account, or "aws" for a base
	Architecture string            `json:"architecture"`
	OSVersion    string            `json:"osVersion,omitempty"`
	BootModes    []string          `json:"bootModes,omitempty"`
	ImageARN     string            `json:"image,omitempty"` // image build version it belongs to
	Parent       string            `json:"parent,omitempty"`
	Snapshot     string            `json:"snapshot"`
	SizeBytes    int64             `json:"sizeBytes"`             // of the disk
	StoredBytes  int64             `json:"storedBytes,omitempty"` // compressed, shared blocks counted in full
	Tags         map[string]string `json:"tags,omitempty"`
	Created      time.Time         `json:"created"`
	State        string            `json:"state"`             // available, deprecated, disabled, or deregistered: only its snapshot is left
	Launched     time.Time         `json:"launched,omitzero"` // last, to the hour
}

// Operations on images: "image/list", "image/show", "image/launch",
// "image/check", "image/export", "image/diff", "image/remove", "image/retry".
type (
	// ImageName asks for one image: an AMI id, or the ARN of an image build.
	ImageName struct {
		Image string `json:"image"`
	}
	// ImageRetry has an image that failed go on from a step of the workflow
	// that failed.
	ImageRetry struct {
		Image string `json:"image"` // ARN of the image build
		From  string `json:"from"`  // name of the step
	}
	// ImageLaunch starts an instance of an image. Zero sizes are the server's defaults.
	ImageLaunch struct {
		Image     string `json:"image"`
		Kind      string `json:"kind,omitempty"` // container or qemu; empty: the server's test kind
		CPUs      int    `json:"cpus,omitempty"`
		MemoryMiB int    `json:"memoryMiB,omitempty"`
	}
	// ImageExport writes a disk file; Format is raw, qcow2, vmdk or vhd.
	ImageExport struct {
		Image  string `json:"image"`
		Path   string `json:"path"` // absolute
		Format string `json:"format"`
	}
	// ImageCheck is a boot through the image's own loader that reached its agent.
	ImageCheck struct {
		Boot    string  `json:"boot"`    // bios or uefi
		Reached string  `json:"reached"` // agent, or login where the disk takes no agent
		Seconds float64 `json:"seconds"`
	}
	// ImagePair names two images.
	ImagePair struct {
		A string `json:"a"`
		B string `json:"b"`
	}
	// ImageDiff says how two disks differ.
	ImageDiff struct {
		ChangedBytes int64   `json:"changedBytes"`
		Ranges       []Range `json:"ranges"`
	}
	// Range is a part of a disk, in bytes.
	Range struct {
		Offset int64 `json:"offset"`
		Length int64 `json:"length"`
	}
)
