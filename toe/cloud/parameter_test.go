package cloud_test

import (
	"strings"
	"testing"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

func TestParameter(t *testing.T) {
	fake := cloudtest.StartFake(t)
	fake.SetParameter("/plain", cloudtest.Parameter{Type: "String", Value: "text"})
	fake.SetParameter("/list", cloudtest.Parameter{Type: "StringList", Value: "a,b"})
	fake.SetParameter("/secret", cloudtest.Parameter{Type: "SecureString", Value: "s3cret"})
	fake.SetParameter("/lines", cloudtest.Parameter{Type: "String", Value: "a\nb"})
	client := newClient(t, fake.Environment)
	for _, tt := range []struct {
		name string
		want cloud.Parameter
		err  string
	}{
		{"/plain", cloud.Parameter{Value: "text"}, ""},
		{"/list", cloud.Parameter{Value: "a,b"}, ""},
		{"/secret", cloud.Parameter{Value: "s3cret", Secure: true}, ""},
		{"/lines", cloud.Parameter{}, "reading parameter /lines: its value has more than one line"},
		{"/absent", cloud.Parameter{}, "reading parameter /absent: ParameterNotFound: there is no parameter /absent"},
	} {
		got, err := client.Parameter(t.Context(), tt.name)
		if got != tt.want || err == nil && tt.err != "" || err != nil && err.Error() != tt.err {
			t.Errorf("Parameter(%s) = %+v, %v; want %+v, %s", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestNoRegion(t *testing.T) {
	fake := cloudtest.StartFake(t)
	e := with(fake.Environment, "AWS_REGION", "", "AWS_ENDPOINT_URL_SSM", "")
	_, err := newClient(t, e).Parameter(t.Context(), "/plain")
	if err == nil || !strings.Contains(err.Error(), "finding the AWS region (set AWS_REGION): ") {
		t.Errorf("Parameter without a region = %v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true") // a machine without a role
	for name, value := range map[string]string{"HOME": t.TempDir(), "AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	_, err := newClient(t, cloudtest.Environment{"AWS_REGION": "eu-west-1"}).Parameter(t.Context(), "/plain")
	if err == nil || !strings.Contains(err.Error(), "finding AWS credentials (set AWS_ACCESS_KEY_ID") {
		t.Errorf("Parameter without credentials = %v", err)
	}
}

func TestMetadata(t *testing.T) {
	fake := cloudtest.StartFake(t)
	fake.SetMetadata("meta-data/placement/region", "eu-west-1")
	fake.SetMetadata("dynamic/instance-identity/document", `{"accountId":"111122223333","region":"eu-west-1"}`)
	client := newClient(t, fake.Environment)
	if got, err := client.Metadata(t.Context(), "placement/region"); got != "eu-west-1" || err != nil {
		t.Errorf("Metadata = %q, %v", got, err)
	}
	if got, err := client.Metadata(t.Context(), "absent"); got != "" || err == nil || !strings.Contains(err.Error(), "reading instance metadata absent:") {
		t.Errorf("Metadata(absent) = %q, %v", got, err)
	}
	fake.SetMetadata("user-data", "not metadata")
	fake.SetMetadata("meta-data/iam/info", "not for documents")
	for _, name := range []string{"../user-data", "../meta-data/iam/info", "%2e%2e/user-data"} {
		if got, err := client.Metadata(t.Context(), name); err == nil {
			t.Errorf("Metadata(%s) = %q; want an error, as it leads out", name, got)
		}
	}
	if got, err := client.Identity(t.Context()); got != (cloud.Identity{Account: "111122223333", Region: "eu-west-1"}) || err != nil {
		t.Errorf("Identity = %v, %v", got, err)
	}
	if n := fake.Requests("/latest/api/token"); n == 0 {
		t.Error("nobody asked for a token")
	}
}
