package ingot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
)

const arnPrefix = "arn:aws:imagebuilder:us-east-1:111122223333:"

func TestParseARN(t *testing.T) {
	prefix := ARN{Partition: "aws", Region: "us-east-1", Account: "111122223333"}
	build := prefix
	build.Kind, build.Name, build.Version, build.Build = KindComponent, "c", NewVersion(1, 0, 0), 2
	workflow := prefix
	workflow.Kind, workflow.WorkflowType, workflow.Name, workflow.Version = KindWorkflow, "build", "w", NewVersion(1, 0, 0).Wildcard(1)
	managed := ARN{Partition: "aws-cn", Region: "cn-north-1", Account: "aws", Kind: KindImage, Name: "debian", Version: NewVersion(1, 0, 0)}
	pipeline := prefix
	pipeline.Kind, pipeline.Name = KindPipeline, "p"
	for text, want := range map[string]ARN{
		arnPrefix + "component/c/1.0.0/2":                           build,
		arnPrefix + "workflow/build/w/1.x.x":                        workflow,
		"arn:aws-cn:imagebuilder:cn-north-1:aws:image/debian/1.0.0": managed,
		arnPrefix + "image-pipeline/p":                              pipeline,
	} {
		got, err := ParseARN(text)
		if err != nil {
			t.Errorf("ParseARN(%s): %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseARN(%s) (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseARNRefuses(t *testing.T) {
	for _, text := range []string{
		"", "arn", "arn:aws:ec2:us-east-1:111122223333:image/a/1.0.0", "arn:aws:imagebuilder:local:111122223333:image/a/1.0.0",
		"arn:gcp:imagebuilder:us-east-1:111122223333:image/a/1.0.0", "arn:aws:imagebuilder:us-east-1:11112222333:image/a/1.0.0",
		arnPrefix + "image/a", arnPrefix + "image/a/1.0", arnPrefix + "image/a/x.2.x", arnPrefix + "image/a/1.x.x/1",
		arnPrefix + "image/a/1.0.0/0", arnPrefix + "image/a/1.0.0/01", arnPrefix + "image/a/1.0.0/1/2", arnPrefix + "image/A/1.0.0",
		arnPrefix + "image-recipe/a/1.0.0/1", arnPrefix + "image-pipeline/a/1.0.0", arnPrefix + "workflow/a/1.0.0",
		arnPrefix + "workflow/deploy/a/1.0.0", arnPrefix + "volume/a", arnPrefix + "image//1.0.0", arnPrefix,
		arnPrefix + "image/" + strings.Repeat("a", 2000) + "/1.0.0",
	} {
		if got, err := ParseARN(text); ErrorCode(err) != CodeInvalid {
			t.Errorf("ParseARN(%.80q) = %v, %v; want CodeInvalid", text, got, err)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	for _, tail := range []string{
		"component/c/1.0.0/2", "image-recipe/r/2019.12.03", "workflow/test/t/x.x.x", "image-pipeline/p", "image/a/1.x.8",
	} {
		f.Add(arnPrefix + tail)
	}
	f.Fuzz(func(t *testing.T, text string) {
		arn, err := ParseARN(text)
		if err != nil {
			return
		}
		if arn.String() != text {
			t.Errorf("ParseARN(%q).String() = %q", text, arn)
		}
		same, err := ParseARN(arn.Key())
		if err != nil || same.Key() != arn.Key() {
			t.Errorf("ParseARN(%q) = %v, %v: not the resource of %q", arn.Key(), same, err, text)
		}
	})
}

func TestNormalizeName(t *testing.T) {
	for name, want := range map[string]string{"My_Test Image": "my-test-image", "a-b": "a-b", "A  b__C": "a--b--c"} {
		if got := NormalizeName(name); got != want {
			t.Errorf("NormalizeName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestLatestVersionReferences(t *testing.T) {
	parse := func(text string) ARN {
		arn, err := ParseARN(text)
		if err != nil {
			t.Fatal(err)
		}
		return arn
	}
	want := &model.LatestVersionReferences{
		LatestVersionArn: arnPrefix + "component/c/x.x.x", LatestMajorVersionArn: arnPrefix + "component/c/1.x.x",
		LatestMinorVersionArn: arnPrefix + "component/c/1.2.x", LatestPatchVersionArn: arnPrefix + "component/c/1.2.03",
	}
	if diff := cmp.Diff(want, LatestVersionReferences(parse(arnPrefix+"component/c/1.2.03/4"))); diff != "" {
		t.Errorf("of a component (-want +got):\n%s", diff)
	}
	const managed = "arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/"
	want = &model.LatestVersionReferences{LatestVersionArn: managed + "x.x.x"}
	if diff := cmp.Diff(want, LatestVersionReferences(parse(managed+"1.0.0/1"))); diff != "" {
		t.Errorf("of a managed workflow (-want +got):\n%s", diff)
	}
}

// TestSemver pins the numbers of cases G18 and RI-15.
func TestSemver(t *testing.T) {
	for text, want := range map[string]string{
		"1.0.0/3":                            "1237940039285380274899124227",
		"2.1.3/7":                            "2475880079723682057626320903",
		"1073741823.1073741823.1073741823/1": "1329227995784915872903807059206602753",
	} {
		arn, err := ParseARN("arn:aws:imagebuilder:us-east-1:111122223333:image/demo/" + text)
		if err != nil {
			t.Fatal(err)
		}
		if got := arn.Semver(); got != want {
			t.Errorf("%s has the semver %s, want %s", text, got, want)
		}
	}
}
