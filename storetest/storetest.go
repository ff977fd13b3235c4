// Package storetest is the suite that every implementation of ingot.Store
// passes: the rules of its contract one by one, and random histories compared
// with a model that keeps its records in a map.
package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ingot.dev/ingot"
)

// Run tests the store that open returns. Each call must return an empty one,
// which the test's cleanup closes.
func Run(t *testing.T, open func(t *testing.T) ingot.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, ingot.Store)
	}{
		{"CreateAndGet", createAndGet},
		{"NumbersAreTheIdentity", numbersAreTheIdentity},
		{"ResolveWildcards", resolveWildcards},
		{"ResolveByStatus", resolveByStatus},
		{"BuildsAreNeverReused", buildsAreNeverReused},
		{"UpdateFromStatus", updateFromStatus},
		{"TagsTouchNothingElse", tagsTouchNothingElse},
		{"DeleteRules", deleteRules},
		{"WriteIsAllOrNothing", writeIsAllOrNothing},
		{"TransactionSeesItself", transactionSeesItself},
		{"Tokens", tokens},
		{"Executions", executions},
		{"Packages", packages},
		{"LifecycleExecutions", lifecycleExecutions},
		{"LifecycleResources", lifecycleResources},
		{"LifecycleDues", lifecycleDues},
		{"Dues", dues},
		{"Ticks", ticks},
		{"LogLines", logLines},
		{"Dependencies", dependencies},
		{"OutboxIsTransactional", outboxIsTransactional},
		{"OutboxKeepsOrder", outboxKeepsOrder},
		{"DeadDeliveries", deadDeliveries},
		{"OutboxPages", outboxPages},
		{"DropMessages", dropMessages},
		{"AMIs", amis},
		{"Parameters", parameters},
		{"Accounts", accounts},
		{"Principals", principals},
		{"IdentityPolicies", identityPolicies},
		{"AccessKeys", accessKeys},
		{"Sessions", sessions},
		{"Administrator", administrator},
		{"IdentityVersion", identityVersion},
		{"SharedWithAnAccount", sharedWithAnAccount},
		{"ForeignReferences", foreignReferences},
		{"Secrets", secrets},
		{"Histories", histories},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

var (
	scope = ingot.Scope{Account: "111122223333", Region: "us-east-1"}
	noon  = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
)

// arn makes an ARN in scope from kind/name[/version[/build]].
func arn(t testing.TB, tail string) ingot.ARN {
	t.Helper()
	a, err := ingot.ParseARN("arn:aws:imagebuilder:us-east-1:111122223333:" + tail)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func record(t testing.TB, tail string) ingot.Record {
	a := arn(t, tail)
	doc, err := json.Marshal(map[string]string{"arn": a.String()})
	if err != nil {
		t.Fatal(err)
	}
	return ingot.Record{
		ARN: a, Name: a.Name, Status: "AVAILABLE", Created: noon, Updated: noon, Document: doc,
		Attributes: map[string][]string{}, Tags: map[string]string{}, Shares: map[ingot.Share][]string{},
	}
}

// write runs f in a transaction that must succeed.
func write(t testing.TB, s ingot.Store, f func(ingot.Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, s ingot.Store, records ...ingot.Record) {
	t.Helper()
	write(t, s, func(tx ingot.Tx) error {
		for _, r := range records {
			if err := tx.Create(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	})
}

func wantCode(t testing.TB, doing string, err error, want ingot.Code) {
	t.Helper()
	if got := ingot.ErrorCode(err); got != want {
		t.Errorf("%s: code %q (%v), want %q", doing, got, err, want)
	}
}

// all reads every page of a query.
func all(ctx context.Context, t rapid.TB, r ingot.RecordReader, q ingot.Query) (tails []string) {
	t.Helper()
	for range 1000 {
		page, err := r.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page.Records {
			tails = append(tails, tail(rec.ARN))
		}
		if page.Next == "" {
			return tails
		}
		if len(page.Records) != q.Limit {
			t.Fatalf("a page of %d records before the last one, want %d", len(page.Records), q.Limit)
		}
		q.After = page.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// tail is the ARN after its account.
func tail(a ingot.ARN) string {
	return a.String()[len("arn:aws:imagebuilder:us-east-1:111122223333:"):]
}
