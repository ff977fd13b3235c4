package build

import (
	"fmt"
	"strconv"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
)

// machine is an instance type: what it gives an instance.
type machine struct {
	Type      string `json:"type"`
	Kind      string `json:"kind"` // of compute
	CPUs      int    `json:"cpus"`
	MemoryMiB int    `json:"memoryMiB"`
}

// defaultType is what an infrastructure configuration without types gets.
const defaultType = "t3.small"

// Families that force a kind of instance; their sizes are those of t3.
var forcedKinds = map[string]string{"vm": compute.KindQEMU, "ct": compute.KindContainer}

// burstable sizes of the t families, as CPUs and MiB.
var burstable = map[string][2]int{
	"nano": {2, 512}, "micro": {2, 1 << 10}, "small": {2, 2 << 10}, "medium": {2, 4 << 10},
	"large": {2, 8 << 10}, "xlarge": {4, 16 << 10}, "2xlarge": {8, 32 << 10},
}

// gibPerCPU of the other families, by their first letters.
var gibPerCPU = map[string]int{"c": 2, "m": 4, "r": 8, "x": 16, "z": 8}

// maxCPUs bounds a type whose size is a number.
const maxCPUs = 192

// parseMachine reads an instance type, as t3.micro, m5.2xlarge or vm.large.
func parseMachine(text, kind string) (machine, error) {
	family, size, ok := strings.Cut(text, ".")
	if !ok || family == "" {
		return machine{}, machineError(text)
	}
	m := machine{Type: text, Kind: kind}
	if forced, ok := forcedKinds[family]; ok {
		m.Kind, family = forced, "t"
	}
	if s, ok := burstable[size]; ok && family[0] == 't' {
		m.CPUs, m.MemoryMiB = s[0], s[1]
		if family == "t2" && s[1] <= 2<<10 {
			m.CPUs = 1
		}
		return m, nil
	}
	perCPU, known := gibPerCPU[family[:1]]
	m.CPUs = sizeCPUs(size)
	if !known || m.CPUs == 0 {
		return machine{}, machineError(text)
	}
	m.MemoryMiB = m.CPUs * perCPU << 10
	return m, nil
}

// sizeCPUs is the CPUs of medium, large, xlarge or Nxlarge; 0 for another size.
func sizeCPUs(size string) int {
	switch size {
	case "medium":
		return 1
	case "large":
		return 2
	case "xlarge":
		return 4
	}
	n, err := strconv.Atoi(strings.TrimSuffix(size, "xlarge"))
	if err != nil || n < 2 || 4*n > maxCPUs || !strings.HasSuffix(size, "xlarge") {
		return 0
	}
	return 4 * n
}

func machineError(text string) error {
	return ingot.Errorf(ingot.CodeInvalid,
		"instance type %q is unknown: use a size of t3, m5, c5 or r5, as t3.small, or vm.SIZE or ct.SIZE to choose the kind of instance", text)
}

func (m machine) String() string {
	return fmt.Sprintf("%s (%s, %d CPUs, %d MiB)", m.Type, m.Kind, m.CPUs, m.MemoryMiB)
}
