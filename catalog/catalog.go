// Package catalog is the managed base images as data: their names, what they
// are, and where a disk for each comes from (images.yaml). The disks themselves
// are the business of package base.
package catalog

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Image is one managed base image. At most one of Bootstrap and Download is set.
type Image struct {
	Name         string          `yaml:"name"`        // as in an ARN
	DisplayName  string          `yaml:"displayName"` // its normal form is Name
	Type         model.ImageType `yaml:"type"`        // default AMI
	Platform     model.Platform  `yaml:"platform"`    // default Linux
	OSVersion    string          `yaml:"osVersion"`   // api.md §7.3
	Architecture string          `yaml:"architecture"`
	DefaultUser  string          `yaml:"defaultUser"` // login that cloud-init makes; may be empty
	Bootstrap    *Bootstrap      `yaml:"bootstrap"`
	Download     *Download       `yaml:"download"`
}

// Bootstrap says what to build a disk from.
type Bootstrap struct {
	Suite    string   `yaml:"suite"`    // of the Debian archive
	Packages []string `yaml:"packages"` // beside the usual ones
}

// Download says where a disk is published.
type Download struct {
	Checksums string `yaml:"checksums"` // https URL of a file of SHA-256 or SHA-512 sums
	File      string `yaml:"file"`      // pattern of the disk's name in it, as in path.Match
}

//go:embed images.yaml
var imagesYAML []byte

type document struct {
	Version string  `yaml:"version"`
	Images  []Image `yaml:"images"`
}

// load reads the table that is part of the program; a test holds it to be right.
var load = sync.OnceValue(func() document {
	doc, err := parse(imagesYAML)
	if err != nil {
		panic(err)
	}
	return doc
})

func parse(data []byte) (document, error) {
	var doc document
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil {
		return document{}, fmt.Errorf("reading the catalogue: %w", err)
	}
	for i := range doc.Images {
		complete(&doc.Images[i])
	}
	return doc, nil
}

func complete(m *Image) {
	if m.Type == "" {
		m.Type = model.ImageTypeAmi
	}
	if m.Platform == "" {
		m.Platform = model.PlatformLinux
	}
	if m.Architecture == "" {
		m.Architecture = "x86_64"
	}
}

// Images returns the catalogue in the order of its table.
func Images() []Image { return slices.Clone(load().Images) }

// Version is the date, as a version, of images that have no disk here.
func Version() ingot.Version {
	v, err := ingot.ParseVersion(load().Version)
	if err != nil {
		panic(err) // a test holds the table to be right
	}
	return v
}

// Find returns an image by its name, of which "-x86" may be left out:
// debian-12 is debian-12-x86. The error is CodeNotFound.
func Find(name string) (Image, error) {
	images := load().Images
	for _, n := range []string{name, name + "-x86"} {
		if i := slices.IndexFunc(images, func(m Image) bool { return m.Name == n }); i >= 0 {
			return images[i], nil
		}
	}
	return Image{}, ingot.Errorf(ingot.CodeNotFound, "base image %q is not in the catalogue; `ingot base list` shows what is", name)
}

// NewImage is an image outside of the catalogue, of which little is known.
func NewImage(name string) (Image, error) {
	if name == "" || len(name) > 100 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return Image{}, ingot.Errorf(ingot.CodeInvalid, "base name %q: must be 1 to 100 lower-case letters, digits and hyphens", name)
	}
	m := Image{Name: name, DisplayName: name}
	complete(&m)
	return m, nil
}

// IsContainer reports whether the image has no disk by its nature.
func (m Image) IsContainer() bool { return m.Type == model.ImageTypeDocker }

// Remedy is the command that brings a disk for the image.
func (m Image) Remedy() string {
	switch {
	case m.Bootstrap != nil:
		return "ingot base build " + m.Name
	case m.Download != nil:
		return "ingot base pull " + m.Name
	}
	return "ingot base import FILE --name " + m.Name
}

// MissingDisk is the error of a build whose parent is an image of the
// catalogue that has no disk here. name may also be of no image in it.
func MissingDisk(name string) error {
	remedy := "ingot base import FILE --name " + name
	if m, err := Find(name); err == nil {
		remedy = m.Remedy()
	}
	return ingot.Errorf(ingot.CodeNotFound, "the base image %s has no disk here: run `%s`", name, remedy)
}
