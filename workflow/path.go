package workflow

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// PathPrefix starts every path.
const PathPrefix = "$."

// Root nodes of paths. Source: workflows.md §3.
const (
	RootParameters      = "parameters"
	RootStepOutputs     = "stepOutputs"
	RootWorkflowOutputs = "workflowOutputs"
	RootImageBuilder    = "imagebuilder"
)

var roots = []string{RootParameters, RootStepOutputs, RootWorkflowOutputs, RootImageBuilder}

// Variables are the names below $.imagebuilder, which are looked up without
// regard to letter case. Source: workflows.md §3.3.
var Variables = []string{
	"cloudWatchLogGroup", "cloudWatchLogStream", "collectImageMetadata", "collectImageScanFindings",
	"dateTime", "imageBuildNumber", "imageId", "imageName", "imageType", "imageVersionNumber",
	"instanceProfileName", "platform", "s3Logs", "securityGroups", "sourceImageARN", "subnetId",
	"terminateInstanceOnFailure", "workflowPhase", "workingDirectory",
}

// Path names a value that is known when a step runs.
type Path []Part

// Part is a member of a mapping, or without a name an element of a list.
type Part struct {
	Name  string
	Index int // from 0
}

const (
	maxPathLength = 1024    // bytes
	maxIndex      = 1 << 20 // no list is that long
)

var (
	pathPart     = regexp.MustCompile(`^(?:\.([^.\[\]{}$*\s]+)|\[([0-9]{1,7})\])`)
	interpolated = regexp.MustCompile(`\{\{\s*(\$\.[^{}]*?)\s*\}\}`)
)

// ParsePath reads $.name.name[0].name: dotted members and list positions.
// The first part is one of the root nodes. Source: workflows.md §3.
func ParsePath(text string) (Path, error) {
	if !strings.HasPrefix(text, PathPrefix) || len(text) > maxPathLength {
		return nil, fmt.Errorf("a path starts with '%s' and has at most %d characters", PathPrefix, maxPathLength)
	}
	var path Path
	for rest := text[1:]; rest != ""; {
		m := pathPart.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("after '%s' it has '%s' where '.name' or '[0]' may stand", text[:len(text)-len(rest)], rest)
		}
		part := Part{Name: m[1]}
		if part.Name == "" {
			index, err := strconv.Atoi(m[2])
			if err != nil || index > maxIndex {
				return nil, fmt.Errorf("the list position %s is above %d", m[2], maxIndex)
			}
			part.Index = index
		}
		path = append(path, part)
		rest = rest[len(m[0]):]
	}
	return path, nil
}

// String is the inverse of ParsePath, but for leading zeros of positions.
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, part := range p {
		if part.Name != "" {
			b.WriteString("." + part.Name)
		} else {
			b.WriteString("[" + strconv.Itoa(part.Index) + "]")
		}
	}
	return b.String()
}

// name is the name of part i, empty when there is none.
func (p Path) name(i int) string {
	if i >= len(p) {
		return ""
	}
	return p[i].Name
}

// IsPath reports whether a text is meant as a path where both paths and
// literals may stand.
func IsPath(text string) bool { return strings.HasPrefix(text, PathPrefix) }

// Interpolations are the paths within {{ }} of a text.
func Interpolations(text string) []string {
	var paths []string
	for _, m := range interpolated.FindAllStringSubmatch(text, -1) {
		paths = append(paths, m[1])
	}
	return paths
}
