package catalog

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/workflow"
)

// The steps of the managed workflows. Source: workflows.md §8.
func TestWorkflows(t *testing.T) {
	list, err := loadWorkflows()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"BUILD/build-image": {
			"LaunchBuildInstance LaunchInstance Abort", "ApplyBuildComponents ExecuteComponents Abort",
			"InventoryCollection CollectImageMetadata Abort if", "RunSanitizeScript SanitizeInstance Abort if",
			"RunSysPrepScript RunSysPrep Abort if", "CreateOutputAMI CreateImage Abort if",
			"TerminateBuildInstance TerminateInstance Continue", "= ImageId",
		},
		"BUILD/express-build-image": {
			"LaunchBuildInstance LaunchInstance Abort RUNNING", "ApplyBuildComponents ExecuteComponents Abort",
			"RunSanitizeScript SanitizeInstance Abort if", "RunSysPrepScript RunSysPrep Abort if",
			"CreateOutputAMI CreateImage Abort if", "TerminateBuildInstance TerminateInstance Continue", "= ImageId",
		},
		"BUILD/build-container": {
			"LaunchBuildInstance LaunchInstance Abort", "BootstrapBuildInstance BootstrapInstanceForContainer Abort if",
			"ApplyBuildComponents ExecuteComponents Abort", "= InstanceId",
		},
		"BUILD/express-build-container": {
			"LaunchBuildInstance LaunchInstance Abort RUNNING", "BootstrapBuildInstance BootstrapInstanceForContainer Abort if",
			"ApplyBuildComponents ExecuteComponents Abort", "= InstanceId",
		},
		"BUILD/build-image-from-iso": {
			"LaunchBuildInstance LaunchInstance Abort", "CreateOutputAMI CreateImageFromIso Abort",
			"TerminateBuildInstance TerminateInstance Continue",
		},
		"TEST/test-image": {
			"LaunchTestInstance LaunchInstance Abort", "CollectImageScanFindings CollectImageScanFindings Continue if",
			"ApplyTestComponents ExecuteComponents Abort", "TerminateTestInstance TerminateInstance Continue",
		},
		"TEST/express-test-image": {
			"LaunchTestInstance LaunchInstance Abort RUNNING", "ApplyTestComponents ExecuteComponents Abort",
			"TerminateTestInstance TerminateInstance Continue",
		},
		"TEST/test-container": {
			"CollectImageScanFindings CollectImageScanFindings Continue if", "ApplyTestComponents ExecuteComponents Abort",
		},
		"TEST/boot-image": {"CheckBoot CheckBoot Abort"},
		"DISTRIBUTION/distribute-image": {
			"DistributeImage DistributeImage Abort", "ModifyImageAttributes ModifyImageAttributes Abort",
			"ApplyImageConfigurations ApplyImageConfigurations Abort",
		},
		"DISTRIBUTION/distribute-container": {
			"DistributeContainer DistributeContainerImage Abort", "TerminateBuildInstance TerminateInstance Continue",
		},
	}
	got := map[string][]string{}
	for _, w := range list {
		if w.Document.Name != w.Name || w.Document.Description == "" {
			t.Errorf("%s calls itself %q: %q", w.Name, w.Document.Name, w.Document.Description)
		}
		got[string(w.Type)+"/"+w.Name] = outline(w.Document)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// outline has a line for each step and each output.
func outline(d *workflow.Document) []string {
	var lines []string
	for _, s := range d.Steps {
		line := fmt.Sprintf("%s %s %s", s.Name, s.Action.Name, s.OnFailure)
		if s.If != nil {
			line += " if"
		}
		if health := s.Inputs["healthCheck"]; health != nil {
			line += fmt.Sprint(" ", health)
		}
		lines = append(lines, line)
	}
	for _, name := range d.OutputNames() {
		lines = append(lines, "= "+name)
	}
	return lines
}
