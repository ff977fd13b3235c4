package distribute

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
	"ingot.dev/ingot/sqlite"
)

const (
	home  = "us-east-1"
	north = "eu-north-1"
	south = "eu-south-1"
	own   = "111122223333"
	other = "444455556666"
)

var noon = time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)

// lab is a store and regions with one registered image.
type lab struct {
	*Service
	db    *sqlite.DB
	image Image
}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	regions := region.Open(filepath.Join(dir, "regions"), filepath.Join(dir, "cache"), db)
	l := &lab{db: db, Service: &Service{Regions: regions, AMIs: db, Parameters: db, Now: func() time.Time { return noon }}}
	l.image = Image{
		ARN: arn(t), Name: "Edge Router", Tags: map[string]string{"team": "net"},
		Values: ingot.Placeholders{BuildDate: noon, BuildVersion: 2},
	}
	l.image.Source = l.register(t)
	return l
}

func arn(t *testing.T) ingot.ARN {
	a, err := ingot.ParseARN("arn:aws:imagebuilder:us-east-1:111122223333:image/edge-router/1.0.0/2")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// register makes the image's own AMI of a small disk with one partition.
func (l *lab) register(t *testing.T) ingot.AMI {
	raw := make([]byte, 64<<10)
	raw[446+4] = 0x83
	binary.LittleEndian.PutUint32(raw[446+8:], 8)
	binary.LittleEndian.PutUint32(raw[446+12:], 100)
	raw[510], raw[511] = 0x55, 0xaa
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	local, err := l.Regions.Region(home)
	if err != nil {
		t.Fatal(err)
	}
	id := region.SnapshotID("source")
	if _, err := local.Disks.Import(t.Context(), id, path, ""); err != nil {
		t.Fatal(err)
	}
	ami := ingot.AMI{
		Scope: ingot.Scope{Account: own, Region: home}, ID: "ami-00000000000000001", Name: "edge 1", Description: "the source",
		Architecture: "x86_64", Snapshot: string(id), SizeBytes: int64(len(raw)), Created: noon,
	}
	if err := local.RegisterImage(t.Context(), ami); err != nil {
		t.Fatal(err)
	}
	return ami
}

// distribute does all three steps.
func (l *lab) distribute(t *testing.T, list []model.Distribution) (copied, permitted, configured []Row) {
	t.Helper()
	to, err := Destinations(l.image, list)
	if err != nil {
		t.Fatal(err)
	}
	copied = l.Copy(t.Context(), l.image, to)
	permitted = l.Permit(t.Context(), copied, list)
	return copied, permitted, l.Configure(t.Context(), own, permitted, list)
}

func ami(region string, c *model.AmiDistributionConfiguration) model.Distribution {
	return model.Distribution{Region: region, AmiDistributionConfiguration: c}
}

func TestDestinations(t *testing.T) {
	image := Image{
		ARN: arn(t), Name: "Edge Router", Tags: map[string]string{"team": "net", "build": "{{imagebuilder:buildVersion}}"},
		Source: ingot.AMI{Description: "the source"}, Values: ingot.Placeholders{BuildDate: noon, BuildVersion: 2},
	}
	marks := map[string]string{"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image.ARN.String(), "team": "net", "build": "2"}
	dated := "Edge Router 2026-03-04T05-06-07.089Z"
	at := func(account, region, name, description string) Destination {
		return Destination{Scope: ingot.Scope{Account: account, Region: region}, Name: name, Description: description, Tags: marks}
	}
	encrypted := at(other, home, dated, "")
	encrypted.Key = "alias/x"
	for name, test := range map[string]struct {
		list []model.Distribution
		want []Destination
	}{
		"DI-3 DI-4 no configuration": {nil, []Destination{at(own, home, dated, "the source")}},
		"another region gets the own account, the home region stays first": {
			[]model.Distribution{ami(north, &model.AmiDistributionConfiguration{Name: "web {{ imagebuilder:buildDate }} b{{imagebuilder:buildVersion}}"})},
			[]Destination{at(own, home, dated, "the source"), at(own, north, "web 2026-03-04T05-06-07.089Z b2", "")},
		},
		"listed accounts elsewhere take the place of the own": {
			[]model.Distribution{ami(north, &model.AmiDistributionConfiguration{TargetAccountIds: []string{other, other}, Description: "b{{imagebuilder:buildVersion}}"})},
			[]Destination{at(own, home, dated, "the source"), at(other, north, dated, "b2")},
		},
		"DI-9 a key is for the copies, not for the own AMI": {
			[]model.Distribution{ami(home, &model.AmiDistributionConfiguration{TargetAccountIds: []string{other, own}, KmsKeyId: "alias/x"})},
			[]Destination{at(own, home, dated, "the source"), encrypted},
		},
	} {
		got, err := Destinations(image, test.list)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDestinationsRefuses(t *testing.T) {
	image := Image{ARN: arn(t), Name: "Edge Router"}
	for name, c := range map[string]*model.AmiDistributionConfiguration{
		"a name that is none":       {Name: "web: {{imagebuilder:buildVersion}}"},
		"a placeholder that is not": {Name: "web {{imagebuilder:colour}}"},
	} {
		if _, err := Destinations(image, []model.Distribution{ami(north, c)}); ingot.ErrorCode(err) != ingot.CodeInvalid || !strings.Contains(err.Error(), north) {
			t.Errorf("%s: %v, want CodeInvalid naming the region", name, err)
		}
	}
}

func TestEverywhere(t *testing.T) {
	l := newLab(t)
	list := []model.Distribution{
		{Region: home, LicenseConfigurationArns: []string{"arn:lic"}, SsmParameterConfigurations: []model.SsmParameterConfiguration{{ParameterName: "/golden/edge"}}},
		{
			Region: north, SsmParameterConfigurations: []model.SsmParameterConfiguration{{ParameterName: "/golden/edge", DataType: ingot.ParameterImage}},
			AmiDistributionConfiguration: &model.AmiDistributionConfiguration{LaunchPermission: &model.LaunchPermissionConfiguration{UserIds: []string{other}}},
		},
	}
	_, _, first := l.distribute(t, list)
	if f := Failure(first); f != nil {
		t.Fatalf("failures: %+v", f)
	}
	_, _, again := l.distribute(t, list)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same again gives other rows (-first +again):\n%s", diff)
	}
	ctx := t.Context()
	for i, name := range []string{home, north} {
		p, err := l.db.FindParameter(ctx, ingot.Scope{Account: own, Region: name}, "/golden/edge")
		if err != nil || p.Value != first[i].AMI || p.Version != 1 {
			t.Errorf("the parameter in %s = %+v, %v; want %s, written once", name, p, err, first[i].AMI)
		}
	}
	there, err := l.db.FindAMI(ctx, ingot.Scope{Account: other, Region: north}, first[1].AMI)
	if err != nil || there.Account != own || there.Parent != l.image.Source.ID || there.Tags["team"] != "net" {
		t.Errorf("the copy as the other account sees it = %+v, %v", there, err)
	}
	if _, err := l.db.FindAMI(ctx, ingot.Scope{Account: other, Region: home}, first[0].AMI); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("the permission of one region holds in another: %v", err)
	}
	if a, err := l.db.FindAMI(ctx, ingot.Scope{Account: own, Region: home}, first[0].AMI); err != nil || len(a.Licenses) != 1 {
		t.Errorf("licences of %+v, %v", a, err)
	}
	target, err := l.Regions.Region(north)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Disks.Verify(ctx, disk.SnapshotID(there.Snapshot)); err != nil {
		t.Errorf("the copied snapshot: %v", err)
	}
}

// refusing is a catalogue that takes no AMIs in one region.
type refusing struct {
	ingot.AMIStore
	region string
}

func (r refusing) RegisterAMI(ctx context.Context, a ingot.AMI) error {
	if a.Region == r.region {
		return ingot.Errorf(ingot.CodeUnavailable, "the catalogue of %s takes nothing", r.region)
	}
	return r.AMIStore.RegisterAMI(ctx, a)
}

func TestDI5OneRegionFails(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	amis := refusing{l.db, south}
	whole := l.Regions
	l.Regions = region.Open(filepath.Join(dir, "regions"), filepath.Join(dir, "cache"), amis)
	source, err := whole.Region(home)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := l.Regions.Region(home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mine.Disks.Copy(t.Context(), source.Disks, disk.SnapshotID(l.image.Source.Snapshot)); err != nil {
		t.Fatal(err)
	}
	copied, _, _ := l.distribute(t, []model.Distribution{ami(north, nil), ami(south, nil)})
	f := Failure(copied)
	if f == nil || len(f.RegionFailures) != 1 {
		t.Fatalf("Failure = %+v, want one of %s", f, south)
	}
	if got := f.RegionFailures[0]; got.Region != south || got.Status != "FAILED" || got.ImageConfigurationStep != "" {
		t.Errorf("the failure = %+v", got)
	}
	if copied[0].Status != Completed || copied[1].Status != Completed {
		t.Errorf("the others = %+v, want them done", copied[:2])
	}
}

func TestDI6LaunchTemplateIsUnknown(t *testing.T) {
	l := newLab(t)
	parameter := []model.SsmParameterConfiguration{{ParameterName: "/golden/edge"}}
	copied, _, configured := l.distribute(t, []model.Distribution{
		{Region: north, SsmParameterConfigurations: parameter},
		{Region: south, SsmParameterConfigurations: parameter, LaunchTemplateConfigurations: []model.LaunchTemplateConfiguration{{LaunchTemplateId: "lt-0123456789abcdef0"}}},
	})
	if f := Failure(copied); f != nil {
		t.Errorf("copies failed: %+v", f)
	}
	f := Failure(configured)
	if f == nil || len(f.RegionFailures) != 1 || f.RegionFailures[0].ImageConfigurationStep != "UPDATE_LAUNCH_TEMPLATES" {
		t.Fatalf("Failure = %+v, want one at UPDATE_LAUNCH_TEMPLATES", f)
	}
	if _, err := l.db.FindParameter(t.Context(), ingot.Scope{Account: own, Region: north}, "/golden/edge"); err != nil {
		t.Errorf("the parameter of the other region: %v", err)
	}
	if _, err := l.db.FindParameter(t.Context(), ingot.Scope{Account: own, Region: south}, "/golden/edge"); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("the parameter after the failure: %v, want none", err)
	}
}

func TestDI8TrustOfAccounts(t *testing.T) {
	l := newLab(t)
	const stranger = "777788889999"
	l.Trusts = func(_ context.Context, account, source string) (bool, error) {
		return account == other && source == own, nil
	}
	copied, _, _ := l.distribute(t, []model.Distribution{ami(home, &model.AmiDistributionConfiguration{TargetAccountIds: []string{stranger, other}})})
	f := Failure(copied)
	if f == nil || len(f.RegionFailures) != 1 || f.RegionFailures[0].AccountId != stranger {
		t.Fatalf("Failure = %+v, want that of %s", f, stranger)
	}
	for _, r := range copied {
		if r.Account != other {
			continue
		}
		if a, err := l.db.FindAMI(t.Context(), ingot.Scope{Account: other, Region: home}, r.AMI); err != nil || a.Account != other {
			t.Errorf("the copy of %s = %+v, %v; want its own", other, a, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	l := newLab(t)
	to, err := Destinations(l.image, []model.Distribution{ami(north, nil)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range l.Copy(ctx, l.image, to) {
		if r.Status != Cancelled || r.ErrorMessage == "" {
			t.Errorf("a row after cancellation = %+v", r)
		}
	}
}

func TestNotBuiltIsRefused(t *testing.T) {
	l := newLab(t)
	l.Trusts = func(context.Context, string, string) (bool, error) { return true, nil }
	for name, d := range map[string]model.Distribution{
		"encryption":   ami(north, &model.AmiDistributionConfiguration{KmsKeyId: "alias/x"}),
		"export":       {Region: north, S3ExportConfiguration: &model.S3ExportConfiguration{S3Bucket: "b"}},
		"fast launch":  {Region: north, FastLaunchConfigurations: []model.FastLaunchConfiguration{{Enabled: true}}},
		"organization": ami(north, &model.AmiDistributionConfiguration{LaunchPermission: &model.LaunchPermissionConfiguration{OrganizationArns: []string{"arn:o"}}}),
	} {
		_, _, rows := l.distribute(t, []model.Distribution{d})
		if f := Failure(rows); f == nil || len(f.RegionFailures) != 1 || f.RegionFailures[0].Region != north {
			t.Errorf("%s: Failure = %+v, want one of %s", name, f, north)
		}
	}
}
