package api_test

import (
	"testing"
	"time"

	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/model"
)

// TestCatalogueComponents reads every component of the catalogue as a client
// does, twice synced, and changes none. Source: api.md §7.3, C9, R1.
func TestCatalogueComponents(t *testing.T) {
	s := start(t)
	for range 2 {
		if err := catalog.SyncComponents(t.Context(), s.Store, region, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	listed := s.must("POST", "/ListComponents", obj{"owner": "Amazon"})["componentVersionList"].([]any)
	if len(listed) != len(catalog.Components()) {
		t.Errorf("%d components are listed, want %d: %v", len(listed), len(catalog.Components()), listed)
	}
	for _, c := range catalog.Components() {
		t.Run(c.Name, func(t *testing.T) {
			exact := managed + "component/" + c.Name + "/1.0.0/1"
			for _, arn := range []string{exact, managed + "component/" + c.Name + "/1.0.0", managed + "component/" + c.Name + "/x.x.x"} {
				got := s.must("GET", "/GetComponent?componentBuildVersionArn="+arn, nil)
				for key, want := range map[string]any{
					"arn": exact, "name": c.Name, "version": "1.0.0", "owner": "Amazon", "platform": "Linux",
					"type": c.Document.Type(), "data": c.Data, "description": c.Document.Description,
				} {
					if value := dig(got, "component", key); value != want {
						t.Errorf("%s: %s = %v, want %v", arn, key, value, want)
					}
				}
			}
			s.refused(403, "ForbiddenException", "DELETE", "/DeleteComponent?componentBuildVersionArn="+exact, nil)
		})
	}
	s.putImage("debian-12", "1.0.0", model.Image{Type: model.ImageTypeAmi, Platform: model.PlatformLinux})
	in := recipe("demo", "1.0.0", uses(managed+"component/update-linux/x.x.x"))
	arn := s.must("PUT", "/CreateImageRecipe", in)["imageRecipeArn"].(string)
	got := s.must("GET", "/GetImageRecipe?imageRecipeArn="+arn, nil)
	if dig(got, "imageRecipe", "components", 0, "componentArn") != managed+"component/update-linux/x.x.x" {
		t.Errorf("the recipe's component = %v", got)
	}
}
