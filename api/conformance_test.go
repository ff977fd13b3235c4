package api_test

import (
	"fmt"
	"maps"
	"testing"
)

// cases are conformance cases by their number.
type cases map[string]func(*testing.T)

// ranges are the numbers of the cases of api.md §12.
var ranges = map[string]int{"W": 14, "I": 13, "T": 6, "C": 10, "R": 17, "P": 12, "G": 18, "L": 5, "A": 4, "Q": 1, "F": 1}

// elsewhere are the cases that are no test of this package, and why.
var elsewhere = map[string]string{
	"P9":  "TestDependencyCondition of package schedule",
	"P10": "TestAutoDisable of package schedule",
	"G1":  "a whole build: TestBuild of package build, TestCreateImageMinimal for the answers before it",
	"G7":  "retried builds: a test of the builder",
	"G8":  "retried builds: TestRetryImage has the refusals",
	"G10": "distribution to parameters: a test of the builder",
	"G13": "container builds: not built",
	"G17": "distribution of an image: a test of the builder; TestDistributeImage has the refusals",
	"G18": "TestNoticeG18 of the root package",
	"A1":  "TestDenied",
	"A2":  "TestSharing, and TestPolicies for one account's side",
}

// TestConformance runs the cases of api.md §12, each on a new server. A number
// that is neither here nor elsewhere fails.
func TestConformance(t *testing.T) {
	all := cases{}
	for _, subject := range []cases{wireCases, identityCases, tokenCases, componentCases, recipeCases, configurationCases, pipelineCases, imageCases, lifecycleCases, otherCases} {
		maps.Copy(all, subject)
	}
	for letter, last := range ranges {
		for n := 1; n <= last; n++ {
			number := fmt.Sprint(letter, n)
			test, why := all[number], elsewhere[number]
			switch {
			case test != nil:
				t.Run(number, test)
			case why == "":
				t.Errorf("case %s has no test", number)
			}
			delete(all, number)
		}
	}
	for number := range all {
		t.Errorf("there is no case %s", number)
	}
}
