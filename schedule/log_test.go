package schedule_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/logs"
)

// TestLogAfterKill: a line that a killed server has kept is written by the
// next one, and once, however far the last one came with it.
func TestLogAfterKill(t *testing.T) {
	stream := ingot.LogStream{Scope: arn(t, "image-pipeline/nightly").Scope(), Group: "/aws/imagebuilder/pipeline/nightly", Name: "2000/01/01"}
	const file = "us-east-1/111122223333/aws/imagebuilder/pipeline/nightly/2000@01@01.log"
	const want = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"
	for name, before := range map[string]string{
		"before the first line": "",
		"in the second line":    "{\"n\":1}\n{\"n",
		"after the second line": "{\"n\":1}\n{\"n\":2}\n",
		"after the last line":   want,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFactory(t, time.Now)
				defer f.close()
				f.write(func(tx ingot.Tx) error {
					for _, text := range []string{`{"n":1}`, `{"n":2}`, `{"n":3}`} {
						if err := tx.PutLogLine(context.Background(), stream, text); err != nil {
							return err
						}
					}
					return nil
				})
				path := filepath.Join(f.dir, "logs", file)
				f.check(os.MkdirAll(filepath.Dir(path), 0o700))
				f.check(os.WriteFile(path, []byte(before), 0o600))
				for range 2 { // servers
					f.start()
					synctest.Wait()
				}
				got, err := os.ReadFile(path)
				f.check(err)
				if string(got) != want {
					t.Errorf("the log is %q, want %q", got, want)
				}
				if left, err := f.LogLines(context.Background(), 9); err != nil || len(left) > 0 {
					t.Errorf("there are still to be written: %v, %v", left, err)
				}
			})
		})
	}
}

// TestLogThatCannotBeWritten: its lines wait until it can.
func TestLogThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		stream := ingot.LogStream{Scope: arn(t, "image-pipeline/nightly").Scope(), Group: "/g", Name: "2000/01/01"}
		f.write(func(tx ingot.Tx) error { return tx.PutLogLine(context.Background(), stream, "{}") })
		dir := filepath.Join(f.dir, "logs")
		f.check(os.WriteFile(dir, nil, 0o600)) // where the folder should be
		f.start()
		time.Sleep(5 * time.Minute) // of the bubble's clock
		f.check(os.Remove(dir))
		time.Sleep(5 * time.Minute)
		store := logs.Store{Dir: dir}
		if _, err := store.Find(stream); err != nil {
			t.Error(err)
		}
	})
}

// TestOldLogsAreRemoved keeps the logs of as many days as the settings say.
func TestOldLogsAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t, time.Now)
		defer f.close()
		f.keepLog = 10 * 24 * time.Hour
		store := logs.Store{Dir: filepath.Join(f.dir, "logs")}
		for _, day := range []string{"1999/12/21", "1999/12/22", "1999/12/23", "2000/01/01"} {
			f.check(store.Append(ingot.LogStream{Scope: arn(t, "image-pipeline/nightly").Scope(), Group: "/g", Name: day}, []string{"{}"}))
		}
		days := func() (names []string) {
			streams, err := store.Streams(arn(t, "image-pipeline/nightly").Scope(), "/g")
			f.check(err)
			for _, s := range streams {
				names = append(names, s.Name)
			}
			return names
		}
		f.start() // at the beginning of 2000
		synctest.Wait()
		if got := days(); len(got) != 3 || got[0] != "1999/12/22" {
			t.Errorf("at first there are %v, want the last three", got)
		}
		time.Sleep(25 * time.Hour)
		if got := days(); len(got) != 2 || got[0] != "1999/12/23" {
			t.Errorf("a day later there are %v, want the last two", got)
		}
	})
}
