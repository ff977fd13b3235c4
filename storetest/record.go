package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func createAndGet(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	want := record(t, "image/demo/1.0.0/1")
	want.Name = "Demo"
	want.Updated = noon.Add(time.Second)
	want.Attributes = map[string][]string{"platform": {"Linux"}}
	want.Tags = map[string]string{"team": "a"}
	want.Policy = `{"Statement": []}`
	want.References = []string{"arn:aws:imagebuilder:us-east-1:111122223333:image-recipe/demo/1.x.x"}
	create(t, s, want)
	got, err := s.Get(ctx, want.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get differs from what was created (-want +got):\n%s", diff)
	}
	_, err = s.Get(ctx, arn(t, "image/demo/1.0.0/2"))
	wantCode(t, "Get of a missing build", err, ingot.CodeNotFound)
	elsewhere := want.ARN
	elsewhere.Region = "eu-west-1"
	_, err = s.Get(ctx, elsewhere)
	wantCode(t, "Get in another region", err, ingot.CodeNotFound)
}

func numbersAreTheIdentity(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	create(t, s, record(t, "image-recipe/demo/2019.12.03"))
	got, err := s.Get(ctx, arn(t, "image-recipe/demo/2019.12.3"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tail(got.ARN), "image-recipe/demo/2019.12.03"; got != want {
		t.Errorf("Get = %s, want the ARN as created, %s", got, want)
	}
	err = s.Write(ctx, func(tx ingot.Tx) error { return tx.Create(ctx, record(t, "image-recipe/demo/2019.12.3")) })
	wantCode(t, "Create of the same number", err, ingot.CodeExists)
	const want = "The following resource 'ImageRecipe' already exists: 'arn:aws:imagebuilder:us-east-1:111122223333:image-recipe/demo/2019.12.03'."
	if err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
}

func resolveWildcards(t *testing.T, s ingot.Store) {
	for _, v := range []string{"2.2.4/1", "1.7.8/1", "1.6.8/1", "1.6.8/2", "1.6.8/10"} {
		create(t, s, record(t, "component/c/"+v))
	}
	create(t, s, record(t, "component/c-more/9.0.0/1"), record(t, "image-recipe/c/1.9.0"))
	for _, test := range []struct{ ask, want string }{
		{"component/c/x.x.x", "component/c/2.2.4/1"},
		{"component/c/1.x.x", "component/c/1.7.8/1"},
		{"component/c/1.6.x", "component/c/1.6.8/10"},
		{"component/c/1.6.8", "component/c/1.6.8/10"},
		{"component/c/1.6.08/2", "component/c/1.6.8/2"},
		{"component/c/3.x.x", ""},
		{"component/c/1.6.9", ""},
		{"image-recipe/c/1.x.x", "image-recipe/c/1.9.0"},
	} {
		got, err := s.Resolve(t.Context(), arn(t, test.ask))
		if test.want == "" {
			wantCode(t, "Resolve "+test.ask, err, ingot.CodeNotFound)
			continue
		}
		if err != nil {
			t.Errorf("Resolve %s: %v", test.ask, err)
		} else if tail(got.ARN) != test.want {
			t.Errorf("Resolve %s = %s, want %s", test.ask, tail(got.ARN), test.want)
		}
	}
}

func resolveByStatus(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	failed := record(t, "image/demo/1.0.0/2")
	failed.Status = "FAILED"
	create(t, s, record(t, "image/demo/1.0.0/1"), failed)
	for _, ask := range []string{"image/demo/1.0.0", "image/demo/x.x.x", "image/demo/1.0.0/1"} {
		got, err := s.Resolve(ctx, arn(t, ask), "AVAILABLE")
		if err != nil || tail(got.ARN) != "image/demo/1.0.0/1" {
			t.Errorf("Resolve %s among AVAILABLE = %s, %v; want build 1", ask, got.ARN, err)
		}
	}
	_, err := s.Resolve(ctx, failed.ARN, "AVAILABLE")
	wantCode(t, "Resolve of a failed build", err, ingot.CodeNotFound)
	write(t, s, func(tx ingot.Tx) error {
		_, err := tx.Update(ctx, failed.ARN, nil, func(r *ingot.Record) error { r.Status = "AVAILABLE"; return nil })
		return err
	})
	got, err := s.Resolve(ctx, arn(t, "image/demo/x.x.x"), "AVAILABLE")
	if err != nil || tail(got.ARN) != "image/demo/1.0.0/2" {
		t.Errorf("Resolve after the change of status = %s, %v; want build 2", got.ARN, err)
	}
}

func buildsAreNeverReused(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	next := func(tail string) (build int) {
		write(t, s, func(tx ingot.Tx) (err error) {
			build, err = tx.NextBuild(ctx, arn(t, tail))
			return err
		})
		return build
	}
	if got := next("image/demo/1.0.0"); got != 1 {
		t.Errorf("first build is %d, want 1", got)
	}
	r := record(t, "image/demo/1.0.0/1")
	create(t, s, r)
	write(t, s, func(tx ingot.Tx) error { return tx.Delete(ctx, r.ARN) })
	if got := next("image/demo/1.0.00"); got != 2 {
		t.Errorf("build after deleting build 1 is %d, want 2", got)
	}
	if got := next("image/demo/1.0.1"); got != 1 {
		t.Errorf("first build of another version is %d, want 1", got)
	}
	undone := errors.New("undone")
	err := s.Write(ctx, func(tx ingot.Tx) error {
		if _, err := tx.NextBuild(ctx, arn(t, "image/demo/1.0.0")); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatalf("Write = %v, want %v", err, undone)
	}
	if got := next("image/demo/1.0.0"); got != 3 {
		t.Errorf("build after an undone one is %d, want 3", got)
	}
}

func updateFromStatus(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	r := record(t, "image/demo/1.0.0/1")
	r.Status = "BUILDING"
	create(t, s, r)
	update := func(from []string) error {
		return s.Write(ctx, func(tx ingot.Tx) error {
			_, err := tx.Update(ctx, r.ARN, from, func(r *ingot.Record) error {
				r.Status, r.Updated, r.Policy = "TESTING", noon.Add(time.Hour), "{}"
				return nil
			})
			return err
		})
	}
	if err := update([]string{"CREATING", "BUILDING"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Update from a status that has passed", update([]string{"BUILDING"}), ingot.CodeInUse)
	got, err := s.Get(ctx, r.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != "TESTING" || !got.Updated.Equal(noon.Add(time.Hour)) || !got.Created.Equal(noon) || got.Policy != "{}" {
		t.Errorf("after Update: status %s, updated %s, created %s, policy %q", got.Status, got.Updated, got.Created, got.Policy)
	}
	err = s.Write(ctx, func(tx ingot.Tx) error {
		_, err := tx.Update(ctx, arn(t, "image/demo/1.0.0/9"), nil, func(*ingot.Record) error { return nil })
		return err
	})
	wantCode(t, "Update of a missing record", err, ingot.CodeNotFound)
}

func tagsTouchNothingElse(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	want := record(t, "image-pipeline/p")
	create(t, s, want)
	want.Tags = map[string]string{"a": "1", "b": ""}
	write(t, s, func(tx ingot.Tx) error { return tx.SetTags(ctx, want.ARN, want.Tags) })
	got, err := s.Get(ctx, want.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after SetTags (-want +got):\n%s", diff)
	}
	err = s.Write(ctx, func(tx ingot.Tx) error { return tx.SetTags(ctx, arn(t, "image-pipeline/q"), nil) })
	wantCode(t, "SetTags of a missing record", err, ingot.CodeNotFound)
}

func deleteRules(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	const recipe = "arn:aws:imagebuilder:us-east-1:111122223333:"
	use := func(user string, targets ...string) {
		r := record(t, user)
		for _, target := range targets {
			r.References = append(r.References, recipe+target)
		}
		create(t, s, r)
	}
	use("component/c/1.0.0/1")
	use("component/c/1.0.0/2")
	use("component/w/1.0.0/1")
	use("component/v/1.0.0/1")
	use("image-recipe/r/1.0.0", "component/c/1.0.00/1", "component/w/1.x.x", "component/v/1.0.0")
	use("image-recipe/r/1.0.1")
	use("image-recipe/alone/1.0.0")
	use("image-recipe/free/1.0.0")
	use("image-pipeline/p", "image-recipe/r/1.0.x", "infrastructure-configuration/i")
	use("image-pipeline/q", "image-recipe/alone/x.x.x")
	use("infrastructure-configuration/i")
	use("infrastructure-configuration/j")
	for target, want := range map[string]ingot.Code{
		"component/c/1.0.0/1":            ingot.CodeDependency, // named as build
		"component/c/1.0.0/2":            "",
		"component/v/1.0.0/1":            ingot.CodeDependency, // named as version
		"component/w/1.0.0/1":            "",                   // named by a wildcard only
		"image-recipe/r/1.0.0":           "",                   // 1.0.1 satisfies the wildcard too
		"image-recipe/alone/1.0.0":       ingot.CodeDependency, // nothing else satisfies it
		"image-recipe/free/1.0.0":        "",
		"infrastructure-configuration/i": ingot.CodeDependency,
		"infrastructure-configuration/j": "",
	} {
		wantCode(t, "CheckDelete "+target, ingot.CheckDelete(ctx, s, arn(t, target)), want)
	}
	write(t, s, func(tx ingot.Tx) error { return tx.Delete(ctx, arn(t, "image-recipe/r/1.0.0")) })
	wantCode(t, "CheckDelete after its user went", ingot.CheckDelete(ctx, s, arn(t, "component/c/1.0.0/1")), "")
	err := s.Write(ctx, func(tx ingot.Tx) error { return tx.Delete(ctx, arn(t, "image-recipe/r/1.0.0")) })
	wantCode(t, "Delete twice", err, ingot.CodeNotFound)
}

func writeIsAllOrNothing(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	broken := errors.New("broken")
	r := record(t, "image/demo/1.0.0/1")
	err := s.Write(ctx, func(tx ingot.Tx) error {
		if err := tx.Create(ctx, r); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("Write = %v, want %v", err, broken)
	}
	_, err = s.Get(ctx, r.ARN)
	wantCode(t, "Get of what was rolled back", err, ingot.CodeNotFound)
	if got := all(ctx, t, s, ingot.Query{Scope: scope, Kind: ingot.KindImage, Limit: 5}); len(got) != 0 {
		t.Errorf("List has %v after a rollback, want nothing", got)
	}
}

func transactionSeesItself(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	write(t, s, func(tx ingot.Tx) error {
		if err := tx.Create(ctx, record(t, "image/demo/1.0.0/1")); err != nil {
			return err
		}
		if _, err := tx.Resolve(ctx, arn(t, "image/demo/x.x.x"), "AVAILABLE"); err != nil {
			t.Errorf("Resolve inside of the transaction: %v", err)
		}
		_, err := s.Resolve(ctx, arn(t, "image/demo/x.x.x"))
		wantCode(t, "Resolve outside of the open transaction", err, ingot.CodeNotFound)
		return nil
	})
}
