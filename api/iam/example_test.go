package iam_test

import (
	"fmt"

	"ingot.dev/ingot/api/iam"
)

func ExampleRequest_Authorize() {
	policy, err := iam.ParseIdentity(`{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": "imagebuilder:Get*", "Resource": "*",
		"Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}}]}`)
	if err != nil {
		panic(err)
	}
	who, err := iam.ParsePrincipal("arn:aws:iam::111111111111:user/ann")
	if err != nil {
		panic(err)
	}
	request := iam.Request{
		Subject:  iam.NewSubject(who, map[string]string{"team": "web"}, policy),
		Action:   "imagebuilder:GetComponent",
		Resource: "arn:aws:imagebuilder:eu-north-1:111111111111:component/nginx/1.0.0/1",
		Keys:     iam.Keys{},
	}
	request.Keys.SetTags("aws:ResourceTag", map[string]string{"team": "web"})
	fmt.Println(request.Authorize())
	request.Action = "imagebuilder:DeleteComponent"
	fmt.Println(request.Authorize())
	// Output:
	// <nil>
	// User: arn:aws:iam::111111111111:user/ann is not authorized to perform: imagebuilder:DeleteComponent on resource: arn:aws:imagebuilder:eu-north-1:111111111111:component/nginx/1.0.0/1 because no identity-based policy allows the imagebuilder:DeleteComponent action
}
