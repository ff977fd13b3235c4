package ingot

import (
	"strings"
	"testing"

	"ingot.dev/ingot/model"
)

func containerRecipe(template, parent, repository string) *model.CreateContainerRecipeRequest {
	return &model.CreateContainerRecipeRequest{
		DockerfileTemplateData: template, ParentImage: parent,
		TargetRepository: &model.TargetContainerRepository{RepositoryName: repository},
	}
}

func TestDockerfileVariables(t *testing.T) { // CT-1 to CT-3
	const parent, environments, components = "FROM {{{ imagebuilder:parentImage }}}\n", "{{{ imagebuilder:environments }}}\n", "{{{ imagebuilder:components }}}\n"
	for _, test := range []struct {
		name, template string
		components     bool
		fault          string // part of the message; empty: accepted
	}{
		{"all", parent + environments + components, true, ""},
		{"no blanks", "FROM {{{imagebuilder:parentImage}}}\n{{{imagebuilder:environments}}}\n{{{\timagebuilder:components  }}}", true, ""},
		{"two stages", parent + "RUN true\n" + parent, false, ""},
		{"without components", parent + "RUN echo {{{ other }}} {{ imagebuilder:x }}\n", false, ""},
		{"variables that expand to nothing", parent + components + environments, false, ""},
		{"no parent", "FROM debian:12\n", false, "lacks the variable '{{{ imagebuilder:parentImage }}}'"},
		{"no environments", parent + components, true, "imagebuilder:environments"},
		{"no components", parent + environments, true, "imagebuilder:components"},
		{"only the parent", parent, true, "imagebuilder:environments"},
		{"components first", parent + components + environments, true, "must come before"},
		{"environments twice", parent + environments + environments + components, true, "twice"},
		{"components twice without components", parent + components + components, false, "twice"},
		{"unknown", parent + "{{{ imagebuilder:workdir }}}", false, "'{{{ imagebuilder:workdir }}}'"},
		{"another case", "FROM {{{ imagebuilder:ParentImage }}}", false, "There is no variable"},
		{"another case before the colon", "FROM {{{ ImageBuilder:parentImage }}}", false, "lacks"},
		{"two braces", "FROM {{ imagebuilder:parentImage }}", false, "lacks"},
		{"over two lines", "FROM {{{ imagebuilder:parentImage\n}}}", false, "lacks"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := containerRecipe(test.template, "debian:12", "web")
			if test.components {
				in.Components = []model.ComponentConfiguration{{ComponentArn: "arn"}}
			}
			err := CheckContainerRecipe(in)
			if test.fault == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if ErrorCode(err) != CodeInvalid || !strings.Contains(err.Error(), "'dockerfileTemplateData'") || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("error %v, want one about dockerfileTemplateData with %q", err, test.fault)
			}
		})
	}
}

func TestRepositoryNames(t *testing.T) {
	for name, legal := range map[string]bool{
		"web": true, "team/web": true, "a.b_c__d--e/f": true, "ab": true, strings.Repeat("a", 256): true,
		"a": false, "Web": false, "web:1": false, "/web": false, "web/": false, "a//b": false, "a..b": false, "we b": false,
		"host:5000/web": false, "web\n": false, strings.Repeat("a", 257): false,
	} {
		err := CheckContainerRecipe(containerRecipe("{{{ imagebuilder:parentImage }}}", "debian", name))
		if (err == nil) != legal {
			t.Errorf("%q: %v, want legal to be %t", name, err, legal)
		}
	}
}

func FuzzDockerfile(f *testing.F) {
	for _, template := range []string{
		"FROM {{{ imagebuilder:parentImage }}}", "{{{imagebuilder:components}}}{{{imagebuilder:environments}}}",
		"{{{{ imagebuilder:parentImage }}}}", "{{{ imagebuilder:", "{{{ imagebuilder:{{{ imagebuilder:parentImage }}}",
		"{{{ imagebuilder:parentImage }}}{{{ imagebuilder:environments }}}{{{ imagebuilder:components }}}",
	} {
		f.Add(template)
	}
	f.Fuzz(func(t *testing.T, template string) {
		plain, withComponents := checkDockerfile(template, false), checkDockerfile(template, true)
		if withComponents == nil && plain != nil {
			t.Errorf("accepted with components, refused without: %v", plain)
		}
		if plain == nil && !strings.Contains(template, "imagebuilder:parentImage") {
			t.Error("accepted without the variable of the parent")
		}
	})
}
