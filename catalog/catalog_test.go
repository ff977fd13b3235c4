package catalog

import (
	"net/url"
	"path"
	"slices"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func TestCatalogue(t *testing.T) {
	doc, err := parse(imagesYAML)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := ingot.ParseVersion(doc.Version); err != nil || v.IsWildcard() {
		t.Errorf("version %q: %v", doc.Version, err)
	}
	platforms := []model.Platform{model.PlatformLinux, model.PlatformWindows, model.PlatformMacOS}
	seen := map[string]bool{}
	for _, m := range doc.Images {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		if got := ingot.NormalizeName(m.DisplayName); got != m.Name {
			t.Errorf("display name %q stands for %s, want %s", m.DisplayName, got, m.Name)
		}
		if m.OSVersion == "" || !slices.Contains(platforms, m.Platform) {
			t.Errorf("%s: platform %q, system %q", m.Name, m.Platform, m.OSVersion)
		}
		if m.Bootstrap != nil && m.Download != nil {
			t.Errorf("%s has two sources", m.Name)
		}
		checkDownload(t, m)
	}
	// Source: api.md §7.3, the names that public clients use.
	for _, name := range []string{"amazon-linux-2-x86", "amazon-linux-2023-x86", "amazon-linux-x86-2", "amazon-linux-x86-latest", "windows-server-2022-english-full-base-x86", "debian-12-x86"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func checkDownload(t *testing.T, m Image) {
	t.Helper()
	if m.Download == nil {
		return
	}
	u, err := url.Parse(m.Download.Checksums)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		t.Errorf("%s: checksums %q must be an https URL", m.Name, m.Download.Checksums)
	}
	if _, err := path.Match(m.Download.File, "x"); err != nil || m.Download.File == "" {
		t.Errorf("%s: file %q: %v", m.Name, m.Download.File, err)
	}
}

func TestFind(t *testing.T) {
	for _, name := range []string{"debian-12", "debian-12-x86"} {
		if m, err := Find(name); err != nil || m.Name != "debian-12-x86" {
			t.Errorf("Find(%q) = %s, %v; want debian-12-x86", name, m.Name, err)
		}
	}
	if _, err := Find("debian-1"); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("Find of an unknown name = %v, want notFound", err)
	}
}

func TestMissingDiskNamesTheRemedy(t *testing.T) {
	for name, want := range map[string]string{
		"debian-12-x86":         "the base image debian-12-x86 has no disk here: run `ingot base build debian-12-x86`",
		"amazon-linux-2023-x86": "the base image amazon-linux-2023-x86 has no disk here: run `ingot base pull amazon-linux-2023-x86`",
		"mine":                  "the base image mine has no disk here: run `ingot base import FILE --name mine`",
	} {
		if got := MissingDisk(name); got.Error() != want {
			t.Errorf("MissingDisk(%q) = %q, want %q", name, got, want)
		}
	}
}
