package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
)

func TestTags(t *testing.T) { // W8 for recipes, A4, §3.12
	f := newFactory(t)
	ctx := t.Context()
	image := f.build()
	for _, arn := range []string{f.recipe, f.infra, image} {
		tag := func(tags map[string]string) error {
			_, err := f.TagResource(ctx, &imagebuilder.TagResourceInput{ResourceArn: &arn, Tags: tags})
			return err
		}
		must(t, tag(map[string]string{"a": "1", "b": "2"}))
		must(t, tag(map[string]string{"b": "3", "c": ""}))
		_, err := f.UntagResource(ctx, &imagebuilder.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "unknown", "copy"}})
		must(t, err)
		out, err := f.ListTagsForResource(ctx, &imagebuilder.ListTagsForResourceInput{ResourceArn: &arn})
		must(t, err)
		if diff := cmp.Diff(map[string]string{"b": "3", "c": ""}, out.Tags); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", arn, diff)
		}
		wantError(t, "a reserved key", tag(map[string]string{"aws:x": "y"}), "InvalidParameterException")
		wantError(t, "a reserved key in other case", tag(map[string]string{"AWS:x": "y"}), "InvalidParameterException")
		many := map[string]string{}
		for n := range 49 {
			many[fmt.Sprint("k", n)] = ""
		}
		wantError(t, "51 tags after the merge", tag(many), "InvalidParameterException")
	}
	if got := f.image(image); got.Tags["b"] != "3" || !strings.HasSuffix(*got.DateCreated, "Z") {
		t.Errorf("GetImage does not show tags at once: %+v", got.Tags)
	}
	f.move(image, model.ImageStatusFailed)
	if got := f.image(image); got.Tags["b"] != "3" {
		t.Errorf("a change of status lost the tags: %+v", got.Tags)
	}
}

func TestTagRefusals(t *testing.T) {
	f := newFactory(t)
	for arn, want := range map[string]string{
		own + "image-recipe/none/1.0.0":           notFound,
		own + "image-recipe/demo/1.x.x":           "InvalidParameterException",
		own + "image/demo/1.0.0":                  "InvalidParameterException",
		managed + "image/debian-12/2026.7.1/1":    "ForbiddenException",
		"arn:aws:ec2:us-east-1:1:instance/i-1234": "InvalidParameterException",
	} {
		_, err := f.TagResource(t.Context(), &imagebuilder.TagResourceInput{ResourceArn: aws.String(arn), Tags: map[string]string{"a": "b"}})
		wantError(t, "TagResource "+arn, err, want)
	}
	_, err := f.ListTagsForResource(t.Context(), &imagebuilder.ListTagsForResourceInput{ResourceArn: aws.String(own + "image/demo/x.x.x")})
	wantError(t, "ListTagsForResource of a wildcard", err, "InvalidParameterException")
}
