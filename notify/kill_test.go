package notify

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/sqlite"
)

// tellerPath makes the test binary a process that writes messages and delivers
// them to tellerURL until it is killed.
const (
	tellerPath = "INGOT_TEST_TELLER"
	tellerURL  = "INGOT_TEST_TELLER_URL"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(tellerPath); path != "" {
		if err := tellForever(path, os.Getenv(tellerURL)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// images is about how many the process writes in turn.
const images = 4

// tellForever prints the number of each message when it is committed, and goes
// on after those that are stored.
func tellForever(dir, url string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, dir+"/ingot.db")
	if err != nil {
		return err
	}
	stored, err := db.Messages(ctx, 0, 1)
	if err != nil {
		return err
	}
	next := 0
	if len(stored) > 0 {
		var image, n int
		if _, err := fmt.Sscanf(stored[0].ID, "%d-%d", &image, &n); err != nil {
			return err
		}
		next = n*images + image + 1
	}
	if _, err := Start(Config{Outbox: db, Settings: settings(map[string]Endpoint{"hook": {Webhook: &Webhook{URL: url}}}), Log: quiet(), Backoff: quick}); err != nil {
		return err
	}
	for ; ; next++ {
		err := db.Write(ctx, func(tx ingot.Tx) error { return tx.PutMessage(ctx, event(next%images, next/images)) })
		if err != nil {
			return err
		}
		fmt.Println(next)
	}
}

// TestKilledTellerLosesNothing kills a process again and again while it writes
// and delivers. All that it said it had written arrives, in order.
func TestKilledTellerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	hook := newInbox(t, nil)
	last := 0
	for round := range 6 {
		last = tellUntilKilled(t, dir, hook.URL, 15+7*round)
	}
	db := openStore(t, dir)
	defer db.Close()
	n := run(t, db, settings(map[string]Endpoint{"hook": {Webhook: &Webhook{URL: hook.URL}}}))
	eventually(t, "everything is delivered", drained(t, db))
	n.Close()
	for image := range images {
		want := (last-image)/images + 1 // those up to the last one that was reported
		got := hook.got(image)
		if len(got) > 0 && got[len(got)-1] == want {
			want++ // committed, but not reported
		}
		wantInOrder(t, "the webhook", image, got, want)
	}
}

// tellUntilKilled returns the last number that the process printed.
func tellUntilKilled(t *testing.T, dir, url string, after int) (last int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), tellerPath+"="+dir, tellerURL+"="+url), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, printed := bufio.NewScanner(out), 0
	for lines.Scan() {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Error(err)
		}
		if printed++; printed == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); printed < after || err == nil {
		t.Fatalf("the process printed %d lines and ended with %v, want it killed after %d", printed, err, after)
	}
	return last
}
