// Package project is what `ingot build` builds: a file that declares
// components, a recipe and what else an image needs, in the words of the API.
//
// Each section holds the request of the create operation of the same name. A
// component's data may name a file beside the project file, and an ARN may be
// shortened to its tail, as in component/web-server/1.0.x; "aws:" in front
// means the managed catalogue.
package project

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot/model"
)

// FileName is the project file that is looked for in a directory.
const FileName = "ingot.yaml"

// maxFile bounds the project file and each component document, in bytes.
const maxFile = 1 << 20

// Project is a loaded project file. Absent sections are nil.
type Project struct {
	File                        string                                          `json:"-"`
	Components                  []model.CreateComponentRequest                  `json:"components"`
	ImageRecipe                 *model.CreateImageRecipeRequest                 `json:"imageRecipe"`
	InfrastructureConfiguration *model.CreateInfrastructureConfigurationRequest `json:"infrastructureConfiguration"`
	DistributionConfiguration   *model.CreateDistributionConfigurationRequest   `json:"distributionConfiguration"`
	ImagePipeline               *model.CreateImagePipelineRequest               `json:"imagePipeline"`
}

// Error holds every finding of a project file, each "file:line:column: what".
type Error struct{ Findings []string }

func (e *Error) Error() string { return strings.Join(e.Findings, "\n") }

// Load reads a project: a file, or the directory that holds ingot.yaml. All
// findings of a bad file come back at once as *Error.
func Load(path string) (*Project, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the project: %w", err)
	}
	p, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	return p, p.readDocuments()
}

// Parse decodes a project file; name is for messages.
func Parse(name string, data []byte) (*Project, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, &Error{Findings: []string{fmt.Sprintf("%s: %v", name, err)}}
	}
	p := &Project{File: name}
	d := &decoder{file: name}
	if len(doc.Content) == 1 {
		d.decode(doc.Content[0], reflect.ValueOf(p).Elem(), "")
	}
	if len(d.findings) == 0 && p.ImageRecipe == nil {
		d.findings = append(d.findings, name+": imageRecipe: is missing; a project builds one recipe")
	}
	if len(d.findings) > 0 {
		return nil, &Error{Findings: d.findings}
	}
	return p, nil
}

// readDocuments replaces the file names in data by the files' text. Data with
// a line break is a document already.
func (p *Project) readDocuments() error {
	for i := range p.Components {
		c := &p.Components[i]
		if c.Data == "" || strings.Contains(c.Data, "\n") {
			continue
		}
		text, err := readBounded(filepath.Join(filepath.Dir(p.File), c.Data))
		if err != nil {
			return fmt.Errorf("%s: components[%d].data: %w", p.File, i, err)
		}
		c.Data = string(text)
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, errors.New(path + " is larger than 1 MiB")
	}
	return data, nil
}

// KeepOnFailure makes a failed build leave its instance running.
func (p *Project) KeepOnFailure() {
	infrastructure := defaultInfrastructure
	if p.InfrastructureConfiguration != nil {
		infrastructure = *p.InfrastructureConfiguration
	}
	infrastructure.TerminateInstanceOnFailure = new(bool)
	p.InfrastructureConfiguration = &infrastructure
}
