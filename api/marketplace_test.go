package api_test

import "testing"

func TestMarketplaceResource(t *testing.T) { // IE-13
	s := start(t)
	s.createComponent("demo", "1.0.0", docBuild)
	sold := "arn:aws:imagebuilder:us-east-1:aws-marketplace:component/cis/1.0.0/1"
	for _, c := range []struct {
		kind, arn, location string
		status              int
		exception           string
	}{
		{"COMPONENT_DATA", sold, "", 403, "ForbiddenException"},
		{"COMPONENT_ARTIFACT", sold, "s3://bucket/key", 403, "ForbiddenException"},
		{"COMPONENT_ARTIFACT", sold, "", 400, combination},
		{"COMPONENT_ARTIFACT", sold, "https://host/key", 400, invalid},
		{"COMPONENT_DATA", own + "component/demo/1.0.0/1", "", 404, notFound},
		{"COMPONENT_DATA", managed + "component/update-linux/1.0.0/1", "", 404, notFound},
		{"COMPONENT_DATA", "arn:aws:imagebuilder:eu-west-1:aws-marketplace:component/cis/1.0.0/1", "", 404, notFound},
		{"COMPONENT_DATA", "component/demo", "", 400, invalid},
		{"IMAGE", sold, "", 400, invalid},
	} {
		in := obj{"resourceType": c.kind, "resourceArn": c.arn}
		if c.location != "" {
			in["resourceLocation"] = c.location
		}
		s.refused(c.status, c.exception, "POST", "/GetMarketplaceResource", in)
	}
}
