package cloudtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Fake is a fake of the parameter store, the log service and the metadata of
// an instance: what the executor uses of them, as the vendor documents it.
// There is no free server of these to test with.
type Fake struct {
	Environment Environment
	Logged      chan struct{} // has something after lines have arrived in a stream

	mu         sync.Mutex
	parameters map[string]Parameter
	metadata   map[string]string
	streams    map[string][]string // group and stream with a space between; nil: the stream is missing
	groups     map[string]bool
	requests   []string
}

// Parameter is an entry of the fake parameter store.
type Parameter struct {
	Type  string // String, StringList or SecureString
	Value string
}

const token = "token-of-the-fake"

// StartFake starts the fake services. They end with the test.
func StartFake(t testing.TB) *Fake {
	f := &Fake{
		parameters: map[string]Parameter{}, streams: map[string][]string{}, groups: map[string]bool{},
		metadata: map[string]string{}, Logged: make(chan struct{}, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", f.operation)
	mux.HandleFunc("PUT /latest/api/token", f.token)
	mux.HandleFunc("GET /latest/", f.category)
	server := httptest.NewServer(f.counted(mux))
	t.Cleanup(server.Close)
	f.Environment = Environment{
		"AWS_ENDPOINT_URL_SSM": server.URL, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.URL,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL,
		"AWS_ACCESS_KEY_ID":                 Account, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": region,
	}
	return f
}

func (f *Fake) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.Method + " " + r.URL.Path
		if target := r.Header.Get("X-Amz-Target"); target != "" {
			what = target
		}
		f.mu.Lock()
		f.requests = append(f.requests, what)
		f.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// Requests counts the requests of a kind: an operation, or method and path.
func (f *Fake) Requests(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasSuffix(r, what) {
			n++
		}
	}
	return n
}

// SetParameter puts a parameter into the store.
func (f *Fake) SetParameter(name string, p Parameter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parameters[name] = p
}

// SetMetadata sets what is below /latest/, such as meta-data/instance-id.
func (f *Fake) SetMetadata(path, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.metadata[path] = text
}

// Stream lists the lines of a log stream.
func (f *Fake) Stream(group, stream string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.streams[group+" "+stream])
}

// Streams lists the log streams, group and stream with a space between.
func (f *Fake) Streams() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.streams))
}

// operation answers the services that speak JSON.
func (f *Fake) operation(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+Account+"/") {
		refuse(w, "MissingAuthenticationToken", "the request is not signed")
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	f.mu.Lock()
	defer f.mu.Unlock()
	switch operation {
	case "GetParameter":
		f.getParameter(w, r)
	case "CreateLogGroup", "CreateLogStream", "PutLogEvents":
		f.logs(w, r, operation)
	default:
		refuse(w, "UnknownOperationException", operation)
	}
}

func (f *Fake) getParameter(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name           string
		WithDecryption bool
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "SerializationException", err.Error())
		return
	}
	p, ok := f.parameters[in.Name]
	if !ok {
		refuse(w, "ParameterNotFound", "there is no parameter "+in.Name)
		return
	}
	if p.Type == "SecureString" && !in.WithDecryption {
		p.Value = "encrypted"
	}
	answer(w, map[string]any{"Parameter": map[string]any{"Name": in.Name, "Type": p.Type, "Value": p.Value}})
}

func (f *Fake) logs(w http.ResponseWriter, r *http.Request, operation string) {
	var in struct {
		Group  string `json:"logGroupName"`
		Stream string `json:"logStreamName"`
		Events []struct {
			Timestamp int64
			Message   string
		} `json:"logEvents"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "SerializationException", err.Error())
		return
	}
	key := in.Group + " " + in.Stream
	_, exists := f.streams[key]
	switch {
	case operation == "CreateLogGroup":
		f.groups[in.Group] = true
	case !f.groups[in.Group], operation == "PutLogEvents" && !exists:
		refuse(w, "ResourceNotFoundException", "there is no "+key)
		return
	case operation == "CreateLogStream":
		f.streams[key] = []string{}
	default:
		size, last := 0, int64(0)
		for _, e := range in.Events {
			size += len(e.Message) + 26
			if e.Timestamp < last || e.Message == "" || len(e.Message)+26 > 256<<10 {
				refuse(w, "InvalidParameterException", fmt.Sprintf("event %q at %d after %d", e.Message[:min(len(e.Message), 40)], e.Timestamp, last))
				return
			}
			last = e.Timestamp
		}
		if size > 1<<20 || len(in.Events) == 0 || len(in.Events) > 10_000 {
			refuse(w, "InvalidParameterException", fmt.Sprintf("%d events of %d bytes", len(in.Events), size))
			return
		}
		for _, e := range in.Events {
			f.streams[key] = append(f.streams[key], e.Message)
		}
		select {
		case f.Logged <- struct{}{}:
		default:
		}
	}
	answer(w, struct{}{})
}

// token is the beginning of version 2 of the metadata service.
func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
	fmt.Fprint(w, token)
}

func (f *Fake) category(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, ok := f.metadata[strings.TrimPrefix(r.URL.Path, "/latest/")]
	switch {
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != token:
		w.WriteHeader(http.StatusUnauthorized)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		fmt.Fprint(w, text)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(map[string]string{"__type": "com.example#" + code, "message": message})
}
