package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/audit"
)

// audited starts a server that keeps an audit log, and returns the log's path.
func audited(t testing.TB, change ...func(*api.Config)) (s *server, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.log")
	trail, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trail.Close(); err != nil {
			t.Error(err)
		}
	})
	return start(t, append(change, func(c *api.Config) { c.Audit = trail })...), path
}

// lines are the events of an audit log, as JSON.
func lines(t testing.TB, path string) (events []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events = append(events, e)
	}
	return events
}

func TestTrail(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	s, path := audited(t, clock(&now))
	long := docBuild + "# " + strings.Repeat("x", 4<<10)
	in := obj{"name": "tool", "semanticVersion": "1.0.0", "platform": "Linux", "data": long, "clientToken": "once", "tags": obj{"team": "web"}}
	created := s.must("PUT", "/CreateComponent", in)
	arn := created["componentBuildVersionArn"].(string)
	got := s.must("GET", getComponent(arn), nil)
	reader := s.user("reader", allows("imagebuilder:Get*", "*"))
	reader.refused(403, denied, "DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
	s.refused(404, "UnknownOperationException", "POST", "/NoSuchOperation", nil)

	events := lines(t, path)
	if len(events) != 3 {
		t.Fatalf("%d lines, want one for each operation: %v", len(events), events)
	}
	admin := map[string]any{
		"type": "IAMUser", "accountId": account, "accessKeyId": keyID,
		"arn": "arn:aws:iam::" + account + ":user/administrator", "userName": "administrator",
	}
	common := map[string]any{
		"eventVersion": "1.11", "eventTime": "2026-07-01T12:00:00Z", "eventSource": "imagebuilder.amazonaws.com",
		"awsRegion": region, "sourceIPAddress": "127.0.0.1", "userAgent": "Go-http-client/1.1",
		"eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management",
	}
	for i, want := range []map[string]any{
		{
			"userIdentity": admin, "eventName": "CreateComponent", "readOnly": false, "requestID": created["requestId"],
			"requestParameters": map[string]any{
				"name": "tool", "semanticVersion": "1.0.0", "platform": "Linux", "clientToken": "once", "tags": map[string]any{"team": "web"},
				"data": "(elided: " + strconv.Itoa(len(long)) + " bytes)",
			},
			"responseElements": map[string]any(created),
		},
		{
			"userIdentity": admin, "eventName": "GetComponent", "readOnly": true, "requestID": got["requestId"],
			"requestParameters": map[string]any{"componentBuildVersionArn": arn}, "responseElements": nil,
		},
		{
			"userIdentity": map[string]any{
				"type": "IAMUser", "accountId": account, "accessKeyId": reader.credentials.AccessKeyID,
				"arn": "arn:aws:iam::" + account + ":user/reader", "userName": "reader",
			},
			"eventName": "DeleteComponent", "readOnly": false, "errorCode": denied,
			"errorMessage":      "User: arn:aws:iam::" + account + ":user/reader is not authorized to perform: imagebuilder:DeleteComponent on resource: " + arn + " because no identity-based policy allows the imagebuilder:DeleteComponent action",
			"requestParameters": map[string]any{"componentBuildVersionArn": arn}, "responseElements": nil,
		},
	} {
		for name, value := range common {
			want[name] = value
		}
		have := events[i]
		if id, _ := have["eventID"].(string); len(id) != 36 {
			t.Errorf("line %d has the eventID %q", i, id)
		}
		if id, _ := dig(have, "userIdentity", "principalId").(string); !strings.HasPrefix(id, "AIDA") {
			t.Errorf("line %d has the principalId %q", i, id)
		}
		if want["requestID"] == nil {
			want["requestID"] = have["requestID"]
		}
		delete(have, "eventID")
		delete(have["userIdentity"].(map[string]any), "principalId")
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
	}
}

func mustJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// TestTrailIsWrittenBeforeTheAnswer: whoever has the answer finds the line.
func TestTrailIsWrittenBeforeTheAnswer(t *testing.T) {
	s, path := audited(t)
	for n := 1; n <= 20; n++ {
		s.must("POST", "/ListComponents", nil)
		if got := len(lines(t, path)); got != n {
			t.Fatalf("%d lines after answer %d", got, n)
		}
	}
}

// TestTrailIsBounded: what a client sends does not decide how long a line is.
func TestTrailIsBounded(t *testing.T) {
	s, path := audited(t)
	var many []obj
	for range 25 {
		many = append(many, obj{"name": "n", "values": []string{strings.Repeat("v", 4000)}})
	}
	s.refused(400, invalid, "POST", "/ListComponents", obj{"filters": many})
	r, err := http.NewRequest("POST", s.URL+"/ListComponents", nil)
	must(t, err)
	r.Header.Set("User-Agent", strings.Repeat("ä", 5000))
	s.sign(r, nil, secret, s.now())
	s.send(r)
	for i, e := range lines(t, path) {
		if size := len(mustJSON(e)); size > 8<<10 {
			t.Errorf("line %d has %d bytes", i, size)
		}
	}
}

// TestTrailHoldsNoSecret looks for whatever could be used to sign a request in
// the audit log and in the server's own log.
func TestTrailHoldsNoSecret(t *testing.T) {
	s, path := audited(t)
	ctx := context.Background()
	key := s.userKey("ann")
	var session ingot.AccessKey
	s.write(func(tx ingot.Tx) (err error) {
		session, err = ingot.CreateSession(ctx, tx, key.Holder, "laptop", time.Hour, s.now())
		return err
	})
	hunted := []string{secret, key.Secret, session.Secret, session.Token, "AWS4-HMAC-SHA256", "X-Amz-", "Signature="}

	as := s.signedBy(session)
	var signatures []string
	send := func(r *http.Request, body string, secret string) {
		t.Helper()
		as.sign(r, []byte(body), secret, s.now())
		_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		signatures = append(signatures, signature)
		as.send(r)
	}
	request := func(method, path, body string) *http.Request {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		must(t, err)
		return r
	}
	create := mustJSON(aComponent("tool"))
	send(request("PUT", "/CreateComponent", create), create, session.Secret)
	send(request("POST", "/ListComponents", ""), "", session.Secret)
	send(request("POST", "/ListComponents", ""), "", "not the secret")

	// Presigned: everything is in the URL.
	presigned := request("GET", getComponent(own+"component/tool/1.0.0/1")+"&X-Amz-Expires=300", "")
	sum := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, as.credentials, presigned, hex.EncodeToString(sum[:]), "imagebuilder", region, s.now())
	must(t, err)
	if a := s.send(request("GET", strings.TrimPrefix(signed, s.URL), "")); a.Status != http.StatusOK {
		t.Errorf("presigned: %d %s", a.Status, a.message())
	}
	_, signature, _ := strings.Cut(signed, "X-Amz-Signature=")
	signatures = append(signatures, signature)

	// A client that has key and secret in each other's place.
	swapped := s.signedBy(ingot.AccessKey{ID: key.Secret, Secret: key.ID})
	r := request("POST", "/ListComponents", "")
	swapped.sign(r, nil, key.ID, s.now())
	if a := swapped.send(r); a.Status != http.StatusForbidden {
		t.Errorf("swapped: %d", a.Status)
	}
	// Tokens where they do not belong.
	stale := session
	stale.Token = "stale/" + session.Token
	s.signedBy(stale).call("POST", "/ListComponents", nil)

	data, err := os.ReadFile(path)
	must(t, err)
	if n := bytes.Count(data, []byte("\n")); n != 6 {
		t.Errorf("%d lines, want 6", n)
	}
	if !bytes.Contains(data, []byte(session.ID)) {
		t.Error("the id of the key, which is no secret, is missing")
	}
	for _, text := range append(hunted, signatures...) {
		if text == "" {
			t.Fatal("a signature was not found in its request")
		}
		for name, log := range map[string]string{"audit log": string(data), "server's log": s.Log.String()} {
			if strings.Contains(log, text) {
				t.Errorf("%q is in the %s", text, name)
			}
		}
	}
}

// TestTrailFailure: a request that cannot be recorded has happened all the
// same, and the operator hears of it.
func TestTrailFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "audit.log")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	trail, err := audit.Open(path)
	must(t, err)
	must(t, trail.Close())
	must(t, os.RemoveAll(filepath.Dir(path)))
	s := start(t, func(c *api.Config) { c.Audit = trail })
	s.must("POST", "/ListComponents", nil)
	if !strings.Contains(s.Log.String(), "request not in the audit log") {
		t.Errorf("the server's log does not say it:\n%s", s.Log)
	}
}
