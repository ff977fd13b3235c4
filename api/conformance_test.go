package api_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cases are conformance cases by their number.
type cases map[string]func(*testing.T)

// ranges are the numbers of the cases of api.md §12.
var ranges = map[string]int{"W": 14, "I": 13, "T": 6, "C": 10, "R": 17, "P": 12, "G": 18, "L": 5, "A": 4, "Q": 1, "F": 1}

// elsewhere are the cases that are other tests, each named as TestName of this
// package, of the root package or of package name; or why there is none.
var elsewhere = map[string]string{
	"P9":  "TestDependencyCondition of package schedule",
	"P10": "TestAutoDisable of package schedule",
	"G1":  "TestBuild of package build, TestCreateImageMinimal of this package for the answers before it",
	"G7":  "TestG7RetryDistribution of package build",
	"G8":  "TestRetryImage of this package",
	"G10": "TestG10ParameterWithoutRole of package build",
	"G13": "container builds: not built",
	"G17": "TestG17DistributeImage of package build, TestDistributeImage of this package for the refusals",
	"G18": "TestNoticeG18 of the root package",
	"A1":  "TestDenied of this package",
	"A2":  "TestSharing of this package, TestPolicies of this package for one account's side",
}

// named is a test that is elsewhere.
var named = regexp.MustCompile(`(Test\w+) of (this package|the root package|package (\w+))`)

// checkElsewhere fails unless there are the tests that a table names.
func checkElsewhere(t *testing.T, table map[string]string) {
	t.Helper()
	for number, where := range table {
		tests := named.FindAllStringSubmatch(where, -1)
		if len(tests) == 0 && !strings.Contains(where, "not built") {
			t.Errorf("case %s is elsewhere: %q names no test", number, where)
		}
		for _, test := range tests {
			folder := map[string]string{"this package": ".", "the root package": ".."}[test[2]]
			if folder == "" {
				folder = filepath.Join("..", test[3])
			}
			if !hasTest(t, folder, test[1]) {
				t.Errorf("case %s is elsewhere: there is no %s", number, test[0])
			}
		}
	}
}

// hasTest looks for a test in the files of a folder.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		if bytes.Contains(text, []byte("\nfunc "+name+"(t *testing.T)")) {
			return true
		}
	}
	return false
}

// TestConformance runs the cases of api.md §12, each on a new server. A number
// that is neither here nor elsewhere fails.
func TestConformance(t *testing.T) {
	checkElsewhere(t, elsewhere)
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
