package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ingot.dev/ingot/model"
)

// batch is how many random requests one store sees: what they delete would
// otherwise be missing to all that follow.
const batch = 5000

// TestRandomRequests sends random requests to all operations, most of them one
// step beside a valid one, and expects that none ends in a fault of the
// server. INGOT_TEST_REQUESTS says how many, INGOT_TEST_SEED where to begin.
func TestRandomRequests(t *testing.T) {
	standard := 10_000
	if testing.Short() {
		standard = 1000
	}
	count, seed := setting(t, "INGOT_TEST_REQUESTS", standard), uint64(setting(t, "INGOT_TEST_SEED", 1))
	statuses := map[int]int{}
	for sent := 0; sent < count; sent += batch {
		name := fmt.Sprintf("seed %d", seed)
		t.Run(name, func(t *testing.T) {
			r := newRandom(t, seed)
			for range min(batch, count-sent) {
				statuses[r.send()]++
			}
		})
		if t.Failed() {
			t.Fatalf("to repeat: INGOT_TEST_SEED=%d", seed)
		}
		seed++
	}
	t.Logf("%d requests by status: %v", count, statuses)
	if statuses[200] < count/100 || statuses[400] < count/100 {
		t.Errorf("the requests are not random enough: %v", statuses)
	}
}

func setting(t *testing.T, name string, standard int) int {
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// random makes requests for a world out of chance.
type random struct {
	*world
	*rand.Rand
	requests []request
	words    []string        // strings of the requests: ARNs, names, enums
	unbuilt  map[string]bool // operations that may answer 501
	callers  []*server       // the administrator, who may do everything, and one whose policies are evaluated
}

func newRandom(t *testing.T, seed uint64) *random {
	r := &random{world: newWorld(t), Rand: rand.New(rand.NewPCG(seed, 0))}
	r.requests = r.world.requests()
	r.callers = []*server{r.server, r.user("someone", allows("*", "*"), allows("imagebuilder:*", own+"${aws:username}/*"),
		statement("Deny", "imagebuilder:Delete*", "*", `{"StringLike": {"aws:ResourceTag/team": "*"}, "ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "team"]}}`))}
	r.unbuilt = map[string]bool{"CreateImage": true, "StartImagePipelineExecution": true} // of container recipes
	for _, q := range r.requests {
		if q.exception == notImplemented {
			r.unbuilt[q.operation] = true
		}
		collectStrings(q.in, &r.words)
	}
	slices.Sort(r.words)
	r.words = slices.Compact(r.words)
	return r
}

func collectStrings(value any, into *[]string) {
	switch v := value.(type) {
	case string:
		*into = append(*into, v)
	case obj:
		for k, member := range v {
			*into = append(*into, k)
			collectStrings(member, into)
		}
	case []any:
		for _, element := range v {
			collectStrings(element, into)
		}
	}
}

// send makes one request, sends it and returns the status, which is checked.
func (r *random) send() int {
	q := r.requests[r.IntN(len(r.requests))]
	route := routeOf(q.operation)
	in := clone(q.in).(obj)
	if _, named := in["name"]; named && r.IntN(2) == 0 {
		in["name"] = "n" + strconv.Itoa(r.IntN(1000)) // or nearly all creates would find their name taken
	}
	for range r.IntN(4) {
		in = r.mutate(in).(obj)
	}
	path, body := onTheWire(route, in)
	data := r.encode(body)
	request, err := http.NewRequest(route.Method, "http://server"+r.mutatePath(path), bytes.NewReader(data))
	if err != nil { // no URL: nothing that could be sent
		request, err = http.NewRequest(route.Method, "http://server"+path, bytes.NewReader(data))
		must(r.t, err)
	}
	caller := r.callers[r.IntN(len(r.callers))]
	caller.sign(request, data, caller.credentials.SecretAccessKey, r.now())
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, request)
	r.check(route, w, request, data)
	return w.Code
}

// check looks for what no request may cause. Only what is documented as not
// built is a fault of the server.
func (r *random) check(route model.Route, w *httptest.ResponseRecorder, request *http.Request, data []byte) {
	r.t.Helper()
	exception := w.Header().Get("X-Amzn-ErrorType")
	var body map[string]any
	err := json.Unmarshal(w.Body.Bytes(), &body)
	switch {
	case w.Code == http.StatusNotImplemented && exception == notImplemented && r.unbuilt[route.Operation]:
	case w.Code >= 500:
		r.t.Errorf("%s = %d %s\n%s %s\n%.2000q\n%s", route.Operation, w.Code, w.Body, request.Method, request.URL, data, r.Log)
	case err != nil || w.Header().Get("X-Amzn-RequestId") == "":
		r.t.Errorf("%s = %d without an id or an object: %s", route.Operation, w.Code, w.Body)
	case w.Code != http.StatusOK && (exception == "" || body["message"] == "" || w.Body.Len() > 6*8100):
		r.t.Errorf("%s = %d, a refusal that does not say why, or at too much length: %s %.500s", route.Operation, w.Code, exception, w.Body)
	}
}

// mutate changes one place of a value.
func (r *random) mutate(value any) any {
	switch v := value.(type) {
	case obj:
		return r.mutateObject(v)
	case []any:
		return r.mutateList(v)
	case string:
		return r.mutateString(v)
	}
	return r.junk()
}

func (r *random) mutateObject(v obj) any {
	switch r.IntN(8) {
	case 0:
		delete(v, r.key(v))
	case 1:
		v[r.word()] = r.junk()
	default:
		if k := r.key(v); k != "" {
			v[k] = r.mutateOrReplace(v[k])
		}
	}
	return v
}

func (r *random) mutateList(v []any) any {
	switch r.IntN(8) {
	case 0:
		return []any{}
	case 1:
		return append(v, v...)
	case 2:
		return append(v, r.junk())
	}
	if len(v) > 0 {
		at := r.IntN(len(v))
		v[at] = r.mutateOrReplace(v[at])
	}
	return v
}

func (r *random) mutateOrReplace(value any) any {
	if r.IntN(4) == 0 {
		return r.junk()
	}
	return r.mutate(value)
}

func (r *random) mutateString(v string) any {
	runes := []rune(v)
	at := r.IntN(len(runes) + 1)
	switch r.IntN(6) {
	case 0:
		return r.word()
	case 1:
		return r.arn()
	case 2:
		return string(runes[:at])
	case 3:
		return string(runes[:at]) + r.odd() + string(runes[at:])
	case 4:
		return string(runes[at:]) + string(runes[:at])
	}
	return strings.Repeat(v, 1+r.IntN(50))
}

// key is one of an object's names, "" if it has none.
func (r *random) key(v obj) string {
	if len(v) == 0 {
		return ""
	}
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys[r.IntN(len(keys))]
}

func (r *random) word() string { return r.words[r.IntN(len(r.words))] }

func (r *random) pick(words ...string) string { return words[r.IntN(len(words))] }

// odd is text that parsers trip over.
func (r *random) odd() string {
	return r.pick("", " ", "\x00", "\n", "\r", "\t", "'", `"`, "\\", "%", "%00", "%s", "/", "..", "*", "?", "x", "0", "-", "{", "}", "{{", "$.", "&a", "*a", "!!",
		"é", "e\u0301", "\u202e", "\u200b", "\ufeff", "\U0001f600", "\u2028", "\ufffd", "İ", "ß", strings.Repeat("a", 65536))
}

// arn is the name of something, or nearly.
func (r *random) arn() string {
	number := func() string {
		return r.pick("0", "1", "2", "x", "x", "00", "01", "9", "1073741823", "1073741824", "2147483648", "9223372036854775807", "99999999999999999999", "-1", "")
	}
	a := "arn:" + r.pick("aws", "aws", "aws", "aws-cn", "") + ":" + r.pick("imagebuilder", "imagebuilder", "imagebuilder", "ec2") +
		":" + r.pick(region, region, region, "eu-west-1", "", "é") + ":" + r.pick(account, account, account, otherAccount, "aws", "aws-marketplace", "third-party", "1") +
		":" + r.pick("component", "image", "image-recipe", "container-recipe", "workflow/test", "workflow/build", "image-pipeline", "lifecycle-policy",
		"infrastructure-configuration", "distribution-configuration", "workflow", "") + "/" + r.pick("tool", "demo", "web", "approve", "nightly", "infra", "x", "A", "_", "")
	if r.IntN(4) > 0 {
		a += "/" + number() + "." + number() + "." + number()
		if r.IntN(2) == 0 {
			a += "/" + number()
		}
	}
	return a
}

// junk is a value of any JSON type.
func (r *random) junk() any {
	switch r.IntN(12) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2, 3:
		return json.Number(r.pick("0", "-0", "1", "-1", "1.5", "1e3", "1e308", "-1e400", "1E-400", "2147483648", "9223372036854775807", "9223372036854775808",
			"1"+strings.Repeat("0", 400), "253402300800", "-62135596801", "1e17"))
	case 4:
		return []any{}
	case 5:
		return obj{}
	case 6:
		return nested(r.IntN(200))
	case 7:
		return obj{r.word(): r.word(), r.odd(): r.odd()}
	case 8:
		return []any{r.word(), r.odd()}
	case 9:
		return r.arn()
	case 10:
		return r.odd()
	}
	return r.word()
}

// nested is a value of many levels.
func nested(depth int) any {
	var v any = "end"
	for n := range depth {
		if n%2 == 0 {
			v = []any{v}
		} else {
			v = obj{"filters": v, "name": v}
			if n > 8 { // or it doubles with each level
				v = obj{"filters": v.(obj)["filters"]}
			}
		}
	}
	return v
}

// encode makes a body, which at times is no JSON.
func (r *random) encode(body any) []byte {
	if body == nil {
		return nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	switch r.IntN(100) {
	case 0:
		return data[:r.IntN(len(data)+1)]
	case 1:
		data[r.IntN(len(data))] = byte(r.IntN(256))
	case 2:
		return append(data, data...)
	case 3:
		return bytes.ReplaceAll(data, []byte(`"`), []byte(`"\ud800`))
	case 4:
		return []byte(strings.Repeat("[", 20_000))
	}
	return data
}

// mutatePath damages escapes and separators of a few paths.
func (r *random) mutatePath(path string) string {
	if r.IntN(50) > 0 {
		return path
	}
	at := r.IntN(len(path) + 1)
	return path[:at] + r.pick("%", "%2", "%zz", "%00", "%2F", "/", "//", "?", "&", "=", "#", ";", "+", "%ff") + path[at:]
}

func clone(value any) any {
	switch v := value.(type) {
	case obj:
		c := make(obj, len(v))
		for k, member := range v {
			c[k] = clone(member)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for n, element := range v {
			c[n] = clone(element)
		}
		return c
	}
	return value
}
