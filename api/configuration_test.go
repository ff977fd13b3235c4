package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func TestInfrastructure(t *testing.T) { // R12, R13
	s := start(t)
	in := obj{
		"name": "Small Box", "instanceProfileName": "profile", "instanceTypes": []any{"t3.micro", "ct.large"},
		"logging": obj{"s3Logs": obj{"s3BucketName": "logs", "s3KeyPrefix": "/"}}, "resourceTags": obj{"team": "a"},
		"instanceMetadataOptions": obj{"httpTokens": "required", "httpPutResponseHopLimit": 2.0},
		"placement":               obj{"tenancy": "host", "hostId": "h-1"},
	}
	arn := own + "infrastructure-configuration/small-box"
	if got := s.must("PUT", "/CreateInfrastructureConfiguration", in)["infrastructureConfigurationArn"]; got != arn {
		t.Fatalf("ARN = %v", got)
	}
	get := func() map[string]any {
		c, _ := s.must("GET", "/GetInfrastructureConfiguration?infrastructureConfigurationArn="+arn, nil)["infrastructureConfiguration"].(map[string]any)
		delete(c, "dateCreated")
		return c
	}
	want := obj{"arn": arn, "terminateInstanceOnFailure": true, "tags": obj{}}
	for k, v := range in {
		want[k] = v
	}
	if diff := cmp.Diff(want, get()); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	s.refused(400, exists, "PUT", "/CreateInfrastructureConfiguration", obj{"name": "small_box", "instanceProfileName": "p"},
		"The following resource 'InfrastructureConfiguration' already exists: '"+arn+"'.")
	s.must("PUT", "/UpdateInfrastructureConfiguration", obj{"infrastructureConfigurationArn": arn, "instanceProfileName": "other"})
	got := get()
	if date, _ := got["dateUpdated"].(string); !strings.HasSuffix(date, "Z") {
		t.Errorf("dateUpdated = %v", got["dateUpdated"])
	}
	delete(got, "dateUpdated")
	want = obj{"arn": arn, "name": "Small Box", "instanceProfileName": "other", "terminateInstanceOnFailure": true, "tags": obj{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	list := s.must("POST", "/ListInfrastructureConfigurations", obj{"filters": []obj{{"name": "name", "values": []string{"Small Box"}}}})
	if dig(list, "infrastructureConfigurationSummaryList", 0, "arn") != arn {
		t.Errorf("list = %v", list)
	}
	s.must("DELETE", "/DeleteInfrastructureConfiguration?infrastructureConfigurationArn="+arn, nil)
	s.refused(404, notFound, "PUT", "/UpdateInfrastructureConfiguration", obj{"infrastructureConfigurationArn": arn, "instanceProfileName": "p"}, arn)
}

func TestInfrastructureRefusals(t *testing.T) {
	s := start(t)
	arn := own + "infrastructure-configuration/infra"
	s.must("PUT", "/CreateInfrastructureConfiguration", obj{"name": "infra", "instanceProfileName": "p"})
	for title, c := range map[string]struct {
		exception string
		change    obj
	}{
		"subnet alone":     {combination, obj{"subnetId": "subnet-1"}},
		"FIFO topic":       {invalid, obj{"snsTopicArn": "arn:aws:sns:us-east-1:111122223333:a.fifo"}},
		"topic elsewhere":  {invalid, obj{"snsTopicArn": "arn:aws:sns:eu-west-1:111122223333:a"}},
		"reserved tag":     {invalid, obj{"resourceTags": obj{"Name": "x"}}},
		"two hosts":        {combination, obj{"placement": obj{"tenancy": "host", "hostId": "h", "hostResourceGroupArn": "arn"}}},
		"host, no tenancy": {combination, obj{"placement": obj{"hostId": "h"}}},
		"tokens":           {invalid, obj{"instanceMetadataOptions": obj{"httpTokens": "optionally"}}},
		"profile ARN":      {invalid, obj{"instanceProfileName": "arn:aws:iam::1:profile/x"}},
	} {
		t.Run(title, func(t *testing.T) {
			s.t = t
			create := obj{"name": "bad", "instanceProfileName": "p"}
			update := obj{"infrastructureConfigurationArn": arn, "instanceProfileName": "p"}
			for k, v := range c.change {
				create[k], update[k] = v, v
			}
			s.refused(400, c.exception, "PUT", "/CreateInfrastructureConfiguration", create)
			s.refused(400, c.exception, "PUT", "/UpdateInfrastructureConfiguration", update)
			update["infrastructureConfigurationArn"] = own + "infrastructure-configuration/none" // looked for when the rest is right
			s.refused(400, c.exception, "PUT", "/UpdateInfrastructureConfiguration", update)
		})
	}
}

func TestDistribution(t *testing.T) { // R17
	s := start(t)
	arn := own + "distribution-configuration/everywhere"
	distributions := []any{
		obj{"region": "us-east-1", "amiDistributionConfiguration": obj{
			"name": "app {{ imagebuilder:buildDate }}", "amiTags": obj{"v": "{{imagebuilder:buildVersion}}"},
			"launchPermission": obj{"userGroups": []any{"all"}},
		}},
		obj{"region": "eu-west-1", "amiDistributionConfiguration": obj{}},
	}
	s.must("PUT", "/CreateDistributionConfiguration", obj{"name": "everywhere", "distributions": distributions})
	get := func() map[string]any {
		c, _ := s.must("GET", "/GetDistributionConfiguration?distributionConfigurationArn="+arn, nil)["distributionConfiguration"].(map[string]any)
		return c
	}
	got := get()
	if diff := cmp.Diff(distributions, got["distributions"]); diff != "" {
		t.Errorf("distributions are not verbatim (-want +got):\n%s", diff)
	}
	if got["timeoutMinutes"] != 720.0 || got["dateUpdated"] != nil {
		t.Errorf("timeoutMinutes = %v, dateUpdated = %v", got["timeoutMinutes"], got["dateUpdated"])
	}
	list := s.must("POST", "/ListDistributionConfigurations", nil)
	if diff := cmp.Diff([]any{"us-east-1", "eu-west-1"}, dig(list, "distributionConfigurationSummaryList", 0, "regions")); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
	s.must("PUT", "/UpdateDistributionConfiguration", obj{"distributionConfigurationArn": arn, "distributions": []any{}})
	if got := get(); got["dateUpdated"] == nil || got["description"] != nil || len(got["distributions"].([]any)) != 0 {
		t.Errorf("updated = %v", got)
	}
}

func TestDistributionRefusals(t *testing.T) { // R14 to R16
	s := start(t)
	ami := func(members obj) []obj {
		return []obj{{"region": "us-east-1", "amiDistributionConfiguration": members}}
	}
	repeat := func(n int, f func(int) obj) []obj {
		list := make([]obj, n)
		for i := range list {
			list[i] = f(i)
		}
		return list
	}
	parameter := func(i int) obj { return obj{"parameterName": fmt.Sprintf("/imagebuilder/%d", i)} }
	for title, c := range map[string]struct {
		status        int
		exception     string
		distributions []obj
		part          string
	}{
		"bare region":    {400, invalid, []obj{{"region": "us-east-1"}}, "'distributions[0]'"},
		"no accounts":    {400, invalid, ami(obj{"targetAccountIds": []string{}}), "'distributions[0].amiDistributionConfiguration.targetAccountIds'"},
		"region twice":   {400, combination, append(ami(obj{}), ami(obj{})...), "us-east-1"},
		"region unknown": {400, invalid, []obj{{"region": "local", "amiDistributionConfiguration": obj{}}}, "local"},
		"no build date":  {400, invalid, ami(obj{"name": "my-image"}), "buildDate"},
		"unknown token":  {400, invalid, ami(obj{"name": "a {{imagebuilder:buildDate}} {{imagebuilder:nope}}"}), "nope"},
		"date format":    {400, invalid, ami(obj{"name": "a {{imagebuilder:buildDate:YYYY}}"}), "YYYY"},
		"reserved tag":   {400, invalid, ami(obj{"amiTags": obj{"CreatedBy": "x"}}), "CreatedBy"},
		"tag token":      {400, invalid, ami(obj{"amiTags": obj{"a": "{{ imagebuilder:nope }}"}}), "amiTags.a"},
		"group":          {400, invalid, ami(obj{"launchPermission": obj{"userGroups": []string{"some"}}}), "userGroups[0]"},
		"container tag": {400, invalid, []obj{{"region": "us-east-1", "containerDistributionConfiguration": obj{
			"containerTags": []string{"a b"}, "targetRepository": obj{"service": "ECR", "repositoryName": "r"},
		}}}, "containerTags[0]"},
		"launch templates": {402, "ServiceQuotaExceededException", []obj{{"region": "us-east-1", "launchTemplateConfigurations": repeat(6, func(int) obj {
			return obj{"launchTemplateId": "lt-0123456789abcdef0"}
		})}}, "5"},
		"SSM parameters": {402, "ServiceQuotaExceededException", []obj{{"region": "us-east-1", "ssmParameterConfigurations": repeat(11, parameter)}}, "10"},
		"SSM twice": {400, invalid, []obj{{"region": "us-east-1", "ssmParameterConfigurations": repeat(2, func(int) obj {
			return parameter(1)
		})}}, "ssmParameterConfigurations[1]"},
		"SSM of another account": {400, combination, []obj{{"region": "us-east-1", "ssmParameterConfigurations": []obj{
			{"parameterName": "/a", "amiAccountId": "999999999999"},
		}}}, "999999999999"},
		"fast launch": {400, combination, []obj{{"region": "us-east-1", "fastLaunchConfigurations": []obj{
			{"enabled": true, "launchTemplate": obj{"launchTemplateId": "lt-0123456789abcdef0", "launchTemplateName": "n"}},
		}}}, "not both"},
	} {
		t.Run(title, func(t *testing.T) {
			s.t = t
			s.refused(c.status, c.exception, "PUT", "/CreateDistributionConfiguration", obj{"name": "bad", "distributions": c.distributions}, c.part)
		})
	}
}

func TestQuota(t *testing.T) {
	s := start(t)
	records := make([]ingot.Record, 1000)
	for i := range records {
		name := fmt.Sprintf("c-%04d", i)
		arn, err := ingot.ParseARN(own + "distribution-configuration/" + name)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = ingot.Record{ARN: arn, Name: name, Created: time.Now(), Document: []byte("{}")}
	}
	s.put(records...)
	in := obj{"name": "one more", "distributions": []obj{}}
	s.refused(402, "ServiceQuotaExceededException", "PUT", "/CreateDistributionConfiguration", in, "1000")
	s.must("DELETE", "/DeleteDistributionConfiguration?distributionConfigurationArn="+own+"distribution-configuration/c-0000", nil)
	s.must("PUT", "/CreateDistributionConfiguration", in)
}
