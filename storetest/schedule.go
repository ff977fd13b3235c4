package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func dues(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	nightly, hourly := arn(t, "image-pipeline/nightly"), arn(t, "image-pipeline/hourly")
	create(t, s, record(t, "image-pipeline/nightly"), record(t, "image-pipeline/hourly"))
	_, err := s.Due(ctx, nightly)
	wantCode(t, "Due of a pipeline without schedule", err, ingot.CodeNotFound)
	put := func(pipeline ingot.ARN, at time.Time) {
		t.Helper()
		write(t, s, func(tx ingot.Tx) error { return tx.PutDue(ctx, ingot.Due{Pipeline: pipeline, At: at}) })
	}
	want := func(want ...ingot.Due) {
		t.Helper()
		got, err := s.Dues(ctx, 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Dues (-want +got):\n%s%v", diff, err)
		}
	}
	put(nightly, noon)
	put(hourly, noon.Add(time.Nanosecond))
	want(ingot.Due{Pipeline: nightly, At: noon}, ingot.Due{Pipeline: hourly, At: noon.Add(1)})
	put(nightly, noon.Add(time.Hour))
	put(hourly, time.Time{}) // to be worked out: first
	want(ingot.Due{Pipeline: hourly}, ingot.Due{Pipeline: nightly, At: noon.Add(time.Hour)})
	if list, err := s.Dues(ctx, 1); err != nil || len(list) != 1 {
		t.Errorf("Dues of one = %v, %v", list, err)
	}
	if d, err := s.Due(ctx, nightly); err != nil || !d.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("Due = %v, %v", d, err)
	}
	write(t, s, func(tx ingot.Tx) error { return tx.DeleteDue(ctx, hourly) })
	write(t, s, func(tx ingot.Tx) error { return tx.DeleteDue(ctx, hourly) })
	write(t, s, func(tx ingot.Tx) error { return tx.Delete(ctx, nightly) })
	want()
	err = s.Write(ctx, func(tx ingot.Tx) error { return tx.PutDue(ctx, ingot.Due{Pipeline: nightly, At: noon}) })
	wantCode(t, "PutDue of a pipeline that is gone", err, ingot.CodeNotFound)
}

func ticks(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	nightly := arn(t, "image-pipeline/nightly")
	create(t, s, record(t, "image-pipeline/nightly"), record(t, "image-pipeline/other"))
	tick := func(n int) ingot.Tick {
		at := noon.Add(time.Duration(n) * time.Minute)
		return ingot.Tick{At: at, Time: at.Add(time.Second), Outcome: ingot.TickSkipped, Reason: fmt.Sprint(n)}
	}
	write(t, s, func(tx ingot.Tx) error {
		for n := range ingot.KeptTicks + 20 {
			if err := tx.PutTick(ctx, nightly, tick(n)); err != nil {
				return err
			}
		}
		return tx.PutTick(ctx, arn(t, "image-pipeline/other"), tick(0))
	})
	got, err := s.Ticks(ctx, nightly, 2)
	if diff := cmp.Diff([]ingot.Tick{tick(ingot.KeptTicks + 19), tick(ingot.KeptTicks + 18)}, got); diff != "" || err != nil {
		t.Errorf("Ticks (-want +got):\n%s%v", diff, err)
	}
	again := tick(ingot.KeptTicks + 19)
	again.Outcome, again.Image = ingot.TickStarted, "arn"
	write(t, s, func(tx ingot.Tx) error { return tx.PutTick(ctx, nightly, again) })
	if got, err = s.Ticks(ctx, nightly, 2*ingot.KeptTicks); err != nil || len(got) != ingot.KeptTicks || got[0] != again {
		t.Errorf("%d ticks are kept, want %d; the newest is %+v, %v", len(got), ingot.KeptTicks, got[0], err)
	}
	if got, err = s.Ticks(ctx, arn(t, "image-pipeline/other"), 9); err != nil || len(got) != 1 {
		t.Errorf("Ticks of another pipeline = %v, %v", got, err)
	}
	write(t, s, func(tx ingot.Tx) error { return tx.Delete(ctx, nightly) })
	create(t, s, record(t, "image-pipeline/nightly"))
	if got, err = s.Ticks(ctx, nightly, 9); err != nil || len(got) != 0 {
		t.Errorf("a new pipeline has the ticks of the one before: %v, %v", got, err)
	}
	err = s.Write(ctx, func(tx ingot.Tx) error { return tx.PutTick(ctx, arn(t, "image-pipeline/none"), tick(0)) })
	wantCode(t, "PutTick of a missing pipeline", err, ingot.CodeNotFound)
}

// logLines are kept in their order until they are written, whatever becomes of the pipeline.
func logLines(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	stream := ingot.LogStream{Scope: scope, Group: "/aws/imagebuilder/pipeline/nightly", Name: "2026/07/01"}
	put := func(texts ...string) {
		t.Helper()
		write(t, s, func(tx ingot.Tx) error {
			for _, text := range texts {
				if err := tx.PutLogLine(ctx, stream, text); err != nil {
					return err
				}
			}
			return nil
		})
	}
	want := func(limit int, texts ...string) (last int64) {
		t.Helper()
		list, err := s.LogLines(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range list {
			if got = append(got, l.Text); l.Order <= last || l.Stream != stream {
				t.Errorf("after line %d comes %+v", last, l)
			}
			last = l.Order
		}
		if diff := cmp.Diff(texts, got); diff != "" {
			t.Errorf("LogLines (-want +got):\n%s", diff)
		}
		return last
	}
	put("one", "two", "three")
	second := want(2, "one", "two")
	write(t, s, func(tx ingot.Tx) error { return tx.DeleteLogLines(ctx, second) })
	third := want(9, "three")
	write(t, s, func(tx ingot.Tx) error { return tx.DeleteLogLines(ctx, third) })
	want(9)
	put("four")
	if fourth := want(9, "four"); fourth <= third {
		t.Errorf("a line after all were written has order %d, want more than %d", fourth, third)
	}
}

func dependencies(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	nightly := arn(t, "image-pipeline/nightly")
	first, second := arn(t, "image/demo/1.0.0/1"), arn(t, "image/demo/1.0.0/2")
	create(t, s, record(t, "image/demo/1.0.0/1"), record(t, "image/demo/1.0.0/2"))
	_, _, err := s.LastDependencies(ctx, nightly)
	wantCode(t, "LastDependencies before the first image", err, ingot.CodeNotFound)
	put := func(image ingot.ARN, parent string) {
		t.Helper()
		write(t, s, func(tx ingot.Tx) error {
			return tx.PutDependencies(ctx, image, nightly, ingot.Dependencies{Recipe: "r", Components: []string{"c"}, Parent: parent})
		})
	}
	want := func(doing string, image ingot.ARN, parent string) {
		t.Helper()
		got, d, err := s.LastDependencies(ctx, nightly)
		if err != nil || got != image || d.Parent != parent || len(d.Components) != 1 || d.Recipe != "r" {
			t.Errorf("%s: LastDependencies = %v, %+v, %v; want those of %v", doing, got, d, err, image)
		}
	}
	put(first, "one")
	put(second, "unused")
	put(second, "two") // the step ran again
	_, _, err = s.LastDependencies(ctx, nightly)
	wantCode(t, "LastDependencies while the images are made", err, ingot.CodeNotFound)
	promote := func(image ingot.ARN) {
		t.Helper()
		write(t, s, func(tx ingot.Tx) error { return tx.PromoteDependencies(ctx, image) })
	}
	promote(second)
	want("one is AVAILABLE", second, "two")
	promote(first)
	want("the older one ended later", first, "one")
	write(t, s, func(tx ingot.Tx) error { return tx.Delete(ctx, first) })
	want("it was deleted", second, "two")
	write(t, s, func(tx ingot.Tx) error { return tx.PromoteDependencies(ctx, arn(t, "image/demo/9.0.0/1")) }) // of no pipeline
}
