package toe_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ingot.dev/ingot/toe"
)

// fakeStore is a fake of the parameter store: it knows GetParameter only.
type fakeStore struct {
	parameters map[string]string // SecureStrings by name
	calls      atomic.Int32
	failures   atomic.Int32 // calls that are still to fail
}

func (f *fakeStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.calls.Add(1)
	var in struct{ Name string }
	err := json.NewDecoder(r.Body).Decode(&in)
	value, ok := f.parameters[in.Name]
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case err != nil || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter":
		http.Error(w, "the fake knows GetParameter only", http.StatusNotImplemented)
	case f.failures.Add(-1) >= 0:
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "InvalidKeyId", "message": "no such key"})
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "ParameterNotFound", "message": "there is no " + in.Name})
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]string{"Name": in.Name, "Type": "SecureString", "Value": value}})
	}
}

// use lets a run read the store.
func (f *fakeStore) use(t *testing.T) func(*toe.Request) {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return func(r *toe.Request) {
		r.Environment = map[string]string{
			"AWS_ENDPOINT_URL_SSM": server.URL, "AWS_REGION": "us-east-1",
			"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "fake",
		}
	}
}

// wantHidden looks for a secret in everything that a run has written or told.
func (tr *trial) wantHidden(t *testing.T, secret string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(tr.dir, "logs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), secret) {
			t.Errorf("%s has the secret:\n%s", path, data)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	told, err := json.Marshal([]any{tr.result, tr.events})
	if err != nil || strings.Contains(string(told), secret) {
		t.Errorf("result or events have the secret (%v):\n%s", err, told)
	}
}

func TestSecureString(t *testing.T) { // C53
	store := &fakeStore{parameters: map[string]string{"/app/key": "s3cret", "/lines": "a\nb", "name-of-key": "/app/key"}}
	const constants = "constants: [{Key: {type: string, value: /app/key}}]\n"
	const steps = `
- name: count
  action: ExecuteBash
  inputs: {commands: ["printf %s '{{ aws:ssm:/app/key }}' | wc -c"]}
- name: file
  action: CreateFile
  inputs: {path: key, content: '{{ aws:ssm:resolve(Key) }} {{ aws:ssm:resolve(aws:ssm:name-of-key) }}'}
- name: read
  action: ReadFile
  inputs: {path: key}
- name: loop
  action: ExecuteBash
  loop: {forEach: {list: 'x,{{ aws:ssm:/app/key }}'}}
  if: {stringEquals: '{{ aws:ssm:/app/key }}', value: S3cret}
  inputs: {commands: ['echo {{ loop.value }}', 'echo {{ loop.value }} >&2', 'test {{ loop.value }} = x']}
  onFailure: Continue
- name: missing
  action: ReadFile
  inputs: {path: '{{ aws:ssm:/app/key }}/none'}
  onFailure: Continue
- name: lines
  action: ExecuteBash
  inputs: {commands: ['echo {{ aws:ssm:/lines }}']}
  onFailure: Continue
`
	tr := try(t, store.use(t), constants+document(steps))
	if tr.err != nil || tr.counters() != "6/3/0" || tr.stdout("build.count") != "6" {
		t.Errorf("Run = %s, error %v, count %q; want 6/3/0, 6\n%s", tr.counters(), tr.err, tr.stdout("build.count"), tr.console)
	}
	if data, err := os.ReadFile(filepath.Join(tr.dir, "key")); string(data) != "s3cret s3cret" {
		t.Errorf("file = %q, %v; want the secret twice", data, err)
	}
	if want := `[{"content":"***** *****"}]`; tr.steps["build.read"].Outputs != want {
		t.Errorf("outputs = %s, want %s", tr.steps["build.read"].Outputs, want)
	}
	if got := tr.steps["build.lines"].FailureMessage; !strings.Contains(got, "more than one line") {
		t.Errorf("several lines: failure %q", got)
	}
	tr.wantHidden(t, "s3cret")
}

// A value is fetched once in an attempt, and again in the next one.
func TestParameterIsFetchedAgain(t *testing.T) {
	store := &fakeStore{parameters: map[string]string{"/key": "value"}}
	store.failures.Store(1)
	tr := try(t, store.use(t), document(`
- name: s
  action: ExecuteBash
  maxAttempts: 2
  loop: {forEach: [a, b]}
  inputs: {commands: ['echo {{ aws:ssm:/key }} {{ aws:ssm:/key }}']}
- {name: none, action: ExecuteBash, inputs: {commands: ['echo {{ aws:ssm:/none }}']}}`))
	if got, want := tr.stdout("build.s"), "***** *****\n***** *****"; got != want || store.calls.Load() != 3 {
		t.Errorf("stdout = %q after %d calls, want %q after 3\n%s", got, store.calls.Load(), want, tr.console)
	}
	if got, want := tr.steps["build.none"].FailureMessage, "Unable to resolve '{{ aws:ssm:/none }}': reading parameter /none: ParameterNotFound: there is no /none"; got != want {
		t.Errorf("failure = %q, want %q", got, want)
	}
}
