package ingot

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Kind is a resource type as an ARN spells it.
type Kind string

const (
	KindComponent       Kind = "component"
	KindImageRecipe     Kind = "image-recipe"
	KindContainerRecipe Kind = "container-recipe"
	KindInfrastructure  Kind = "infrastructure-configuration"
	KindDistribution    Kind = "distribution-configuration"
	KindPipeline        Kind = "image-pipeline"
	KindImage           Kind = "image"
	KindWorkflow        Kind = "workflow"
	KindLifecycle       Kind = "lifecycle-policy"
)

// kindTraits says what an ARN of a kind holds. Source: api.md §2.2.
var kindTraits = map[Kind]struct {
	title            string // as error messages spell it, api.md §1.5
	versions, builds bool
}{
	KindComponent:       {"Component", true, true},
	KindImageRecipe:     {"ImageRecipe", true, false},
	KindContainerRecipe: {"ContainerRecipe", true, false},
	KindInfrastructure:  {"InfrastructureConfiguration", false, false},
	KindDistribution:    {"DistributionConfiguration", false, false},
	KindPipeline:        {"ImagePipeline", false, false},
	KindImage:           {"Image", true, true},
	KindWorkflow:        {"Workflow", true, true},
	KindLifecycle:       {"LifecyclePolicy", false, false},
}

// Title is the kind in Pascal case, as error messages spell it.
func (k Kind) Title() string { return kindTraits[k].title }

// HasVersions reports whether ARNs of the kind carry a version.
func (k Kind) HasVersions() bool { return kindTraits[k].versions }

// HasBuilds reports whether a version of the kind may have several builds.
func (k Kind) HasBuilds() bool { return kindTraits[k].builds }

// ManagedAccount owns the managed catalogue; the API calls its owner Amazon.
const ManagedAccount = "aws"

// MarketplaceAccount owns what is sold; the API calls its owner AWSMarketplace.
const MarketplaceAccount = "aws-marketplace"

// ARN names a resource, a version of one, or a build of a version:
//
//	arn:PARTITION:imagebuilder:REGION:ACCOUNT:KIND/[TYPE/]NAME[/VERSION[/BUILD]]
//
// Version may have wildcards, and then Build is 0. WorkflowType (build, test or
// distribution) is set for workflows only. Name is normalised.
type ARN struct {
	Partition string
	Region    string
	Account   string // twelve digits, "aws", "aws-…" or "third-party"
	Kind      Kind

	WorkflowType string
	Name         string
	Version      Version // zero for kinds without versions
	Build        int     // 1 and up; 0 names the version
}

var (
	partitionPattern = regexp.MustCompile(`^aws(-[a-z]+)*$`)
	regionPattern    = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	accountPattern   = regexp.MustCompile(`^([0-9]{12}|aws(-[a-z0-9-]+)?|third-party)$`)
	arnNamePattern   = regexp.MustCompile(`^[-_a-z0-9]{1,128}$`)
	workflowTypes    = map[string]bool{"build": true, "test": true, "distribution": true}
)

// maxARNLength bounds what the parser looks at; the model allows 1024.
const maxARNLength = 1024

// ParseARN reads the ARN of a resource, a version pattern or a build. Its
// errors have CodeInvalid and name the rule; the caller adds the field.
func ParseARN(text string) (ARN, error) {
	if len(text) > maxARNLength {
		return ARN{}, Errorf(CodeInvalid, "An ARN has at most %d characters.", maxARNLength)
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "imagebuilder" {
		return ARN{}, arnError(text, "it is not of the form arn:aws:imagebuilder:region:account:kind/name")
	}
	a := ARN{Partition: parts[1], Region: parts[3], Account: parts[4]}
	switch {
	case !partitionPattern.MatchString(a.Partition):
		return ARN{}, arnError(text, "unknown partition")
	case !regionPattern.MatchString(a.Region):
		return ARN{}, arnError(text, "a region looks like us-east-1")
	case !accountPattern.MatchString(a.Account):
		return ARN{}, arnError(text, "an account is twelve digits or aws")
	}
	if err := a.parseTail(strings.Split(parts[5], "/")); err != nil {
		return ARN{}, arnError(text, err.Error())
	}
	return a, nil
}

func arnError(text, rule string) error {
	return Errorf(CodeInvalid, "'%s' is not the ARN of a resource of this service: %s.", text, rule)
}

// parseTail reads kind/[type/]name[/version[/build]].
func (a *ARN) parseTail(tail []string) error {
	a.Kind = Kind(tail[0])
	traits, known := kindTraits[a.Kind]
	if !known {
		return fmt.Errorf("unknown kind %q", tail[0])
	}
	tail = tail[1:]
	if a.Kind == KindWorkflow {
		if len(tail) == 0 || !workflowTypes[tail[0]] {
			return fmt.Errorf("a workflow is build, test or distribution")
		}
		a.WorkflowType, tail = tail[0], tail[1:]
	}
	least, most := 1, 1
	if traits.versions {
		least, most = 2, 2
	}
	if traits.builds {
		most = 3
	}
	if len(tail) < least || len(tail) > most {
		return fmt.Errorf("a %s has %d to %d parts after its kind", a.Kind, least, most)
	}
	if !arnNamePattern.MatchString(tail[0]) {
		return fmt.Errorf("a name is 1 to 128 lower-case letters, digits, hyphens and underscores")
	}
	a.Name = tail[0]
	return a.parseVersion(tail[1:])
}

func (a *ARN) parseVersion(tail []string) (err error) {
	if len(tail) == 0 {
		return nil
	}
	if a.Version, err = ParseVersion(tail[0]); err != nil {
		return fmt.Errorf("its version is not major.minor.patch with numbers up to %d or x", MaxVersionNode)
	}
	if len(tail) == 1 {
		return nil
	}
	build, ok := parseBuild(tail[1])
	if !ok || a.Version.IsWildcard() {
		return fmt.Errorf("a build is a number from 1, after a version without x")
	}
	a.Build = build
	return nil
}

func parseBuild(s string) (int, bool) {
	if len(s) > 0 && s[0] == '0' {
		return 0, false // builds are counted by the server, never written with zeros
	}
	n, ok := parseNode(s)
	return int(n), ok && n > 0
}

// String is the inverse of ParseARN.
func (a ARN) String() string { return a.text(a.Version.String()) }

// Key is String with the version as a number: equal for ARNs of one resource.
func (a ARN) Key() string {
	if a.Version.IsZero() {
		return a.text("")
	}
	return a.text(a.Version.Number())
}

func (a ARN) text(version string) string {
	var b strings.Builder
	b.WriteString("arn:" + a.Partition + ":imagebuilder:" + a.Region + ":" + a.Account + ":" + string(a.Kind))
	if a.WorkflowType != "" {
		b.WriteString("/" + a.WorkflowType)
	}
	b.WriteString("/" + a.Name)
	if version != "" {
		b.WriteString("/" + version)
	}
	if a.Build > 0 {
		b.WriteString("/" + strconv.Itoa(a.Build))
	}
	return b.String()
}

// Semver is the version and build as the one number of notices, in decimal: it
// has up to 120 bits. Source: api.md §2.4.
func (a ARN) Semver() string {
	n := new(big.Int)
	for i := range a.Version.nodes {
		n.Lsh(n, 30).Or(n, big.NewInt(int64(a.Version.Node(i))))
	}
	return n.Lsh(n, 30).Or(n, big.NewInt(int64(a.Build))).String()
}

// Scope is the namespace the ARN lives in.
func (a ARN) Scope() Scope { return Scope{Account: a.Account, Region: a.Region} }

// IsManaged reports whether the resource is of the managed catalogue.
func (a ARN) IsManaged() bool { return a.Account == ManagedAccount }

// IsBuild reports whether the ARN names one build of a version.
func (a ARN) IsBuild() bool { return a.Build > 0 }

// IsExact reports whether the ARN can name a stored resource itself, rather
// than a set of versions or builds to choose from.
func (a ARN) IsExact() bool {
	if a.Kind.HasBuilds() {
		return a.IsBuild()
	}
	return !a.Version.IsWildcard()
}

// WithVersion names another version, or version pattern, of the resource.
func (a ARN) WithVersion(v Version) ARN {
	a.Version, a.Build = v, 0
	return a
}

// WithBuild names a build of the version.
func (a ARN) WithBuild(build int) ARN {
	a.Build = build
	return a
}

// VersionARN drops the build.
func (a ARN) VersionARN() ARN { return a.WithBuild(0) }

// Owner is the response member of that name. Source: api.md §2.2.
func (a ARN) Owner() string {
	switch a.Account {
	case ManagedAccount:
		return "Amazon"
	case MarketplaceAccount:
		return "AWSMarketplace"
	case "third-party":
		return "ThirdParty"
	}
	return a.Account
}

// NormalizeName is the name as an ARN spells it: names with the same normal
// form are the same resource. Source: api.md §2.3.
func NormalizeName(name string) string {
	return strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(name))
}
