package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ingot.dev/ingot"
)

// writerPath makes the test binary a process that stores images until it is killed.
const writerPath = "INGOT_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		if err := storeForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// storeForever prints the number of each image when its transaction is over.
func storeForever(path string) error {
	ctx := context.Background()
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		r := ingot.Record{
			ARN:  ingot.ARN{Partition: "aws", Region: testScope.Region, Account: testScope.Account, Kind: ingot.KindImage, Name: "demo", Version: ingot.NewVersion(1, 0, i), Build: 1},
			Name: "demo", Document: []byte(`{}`),
		}
		if err := db.Write(ctx, func(tx ingot.Tx) error { return tx.Create(ctx, r) }); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ingot.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	stored := 0
	for lines.Scan() {
		if stored++; stored == 25 {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it had printed before the signal
		stored++
	}
	if err := cmd.Wait(); stored < 25 || err == nil {
		t.Fatalf("the writer stored %d images and ended with %v, want it killed", stored, err)
	}
	checkStored(t, path, stored)
}

// checkStored checks that the first n images are there and that the lists agree.
func checkStored(t *testing.T, path string, n int) {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, collapse := range []ingot.Collapse{ingot.Builds, ingot.Versions} {
		got, err := db.Count(t.Context(), ingot.Query{Scope: testScope, Kind: ingot.KindImage, Collapse: collapse, Limit: 1 << 20})
		if err != nil || got < n || got > n+1 { // the last one may have been stored, but not said so
			t.Errorf("%d entries in list %d after %d were reported, %v", got, collapse, n, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v; want 0600", info.Mode(), err)
	}
}
