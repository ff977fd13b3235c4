package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ingot.dev/ingot/model"
)

// maxBody bounds a request's body. Source: api.md §1.1.
const maxBody = 1 << 20

// smallBody is what a client may send before its request needs one of
// largeBodies, which bound the memory that strangers take up.
const (
	smallBody   = 64 << 10
	largeBodies = 64
)

func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(limited, smallBody))
	if err == nil && len(body) == smallBody {
		leave, busy := s.large.take(r.Context())
		if busy != nil {
			return nil, busy
		}
		defer leave()
		var rest []byte
		rest, err = io.ReadAll(limited)
		body = append(body, rest...)
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &fault{exception: "RequestEntityTooLargeException", status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("A request body has at most %d bytes.", maxBody)}
	}
	if err != nil {
		return nil, malformed("the body ended early")
	}
	return body, nil
}

func malformed(format string, args ...any) error {
	return &fault{exception: "SerializationException", status: http.StatusBadRequest, message: "The request cannot be read: " + fmt.Sprintf(format, args...) + "."}
}

// decode returns the members of a request, from wherever the route carries
// them, as JSON values of the right types. Unknown and null members are gone,
// and so are optional empty tags, which mean none.
func decode(route model.Route, r *http.Request, label string, body []byte) (map[string]any, error) {
	members := map[string]any{}
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		var err error
		if members, err = decodeBody(body); err != nil {
			return nil, err
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed("the query string has a bad escape")
	}
	for _, m := range route.Input.Members {
		switch {
		case m.In == "uri":
			text, err := url.PathUnescape(label)
			if err != nil {
				return nil, malformed("the path has a bad escape")
			}
			members[m.Name] = text
		case m.In == "querystring" && query.Has(m.Name):
			members[m.Name] = queryValue(m, query[m.Name])
		}
	}
	tree, err := prune(route.Input, members, "")
	if err != nil {
		return nil, err
	}
	return tree.(map[string]any), nil
}

// queryValue is the JSON value of a query parameter; all of them are strings
// or lists of strings.
func queryValue(m model.Member, values []string) any {
	if m.Shape.Kind != model.List {
		return values[0]
	}
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}

func decodeBody(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	if !utf8.Valid(body) {
		return nil, malformed("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, malformed("the body is not JSON: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed("the body goes on after its JSON value")
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, malformed("the body is not a JSON object")
	}
	return members, nil
}

// emptyMeansNone are members whose empty value is treated as absent although
// the model demands an entry. Source: api.md §1.3.
var emptyMeansNone = map[string]bool{"tags": true, "imageTags": true, "amiTags": true, "resourceTags": true}

// prune checks the JSON types of a value against its shape and drops what has
// no meaning.
func prune(s *model.Shape, value any, path string) (any, error) {
	switch s.Kind {
	case model.Structure:
		return pruneStructure(s, value, path)
	case model.List:
		return pruneList(s, value, path)
	case model.Map:
		return pruneMap(s, value, path)
	}
	if !hasType(s.Kind, value) {
		return nil, wrongType(s.Kind, path)
	}
	return value, nil
}

func pruneStructure(s *model.Shape, value any, path string) (any, error) {
	have, ok := value.(map[string]any)
	if !ok {
		return nil, wrongType(s.Kind, path)
	}
	kept := make(map[string]any, len(have))
	for _, m := range s.Members {
		v, ok := have[m.Name]
		if !ok || v == nil {
			continue
		}
		v, err := prune(m.Shape, v, join(path, m.Name))
		if err != nil {
			return nil, err
		}
		if entries, ok := v.(map[string]any); ok && len(entries) == 0 && emptyMeansNone[m.Name] && !m.Required {
			continue
		}
		kept[m.Name] = v
	}
	return kept, nil
}

func pruneList(s *model.Shape, value any, path string) (any, error) {
	have, ok := value.([]any)
	if !ok {
		return nil, wrongType(s.Kind, path)
	}
	for i, v := range have {
		v, err := prune(s.Element, v, index(path, i))
		if err != nil {
			return nil, err
		}
		have[i] = v
	}
	return have, nil
}

func pruneMap(s *model.Shape, value any, path string) (any, error) {
	have, ok := value.(map[string]any)
	if !ok {
		return nil, wrongType(s.Kind, path)
	}
	for k, v := range have {
		if v == nil {
			delete(have, k)
			continue
		}
		if _, err := prune(s.Element, v, join(path, k)); err != nil {
			return nil, err
		}
	}
	return have, nil
}

func hasType(kind model.Kind, value any) bool {
	switch v := value.(type) {
	case string:
		if kind == model.Timestamp {
			_, err := time.Parse(time.RFC3339, v)
			return err == nil
		}
		return kind == model.String
	case bool:
		return kind == model.Boolean
	case json.Number:
		if kind == model.Timestamp {
			_, err := v.Float64()
			return err == nil
		}
		return kind == model.Integer && !strings.ContainsAny(v.String(), ".eE")
	}
	return false
}

var typeNames = map[model.Kind]string{
	model.Structure: "an object", model.List: "a list", model.Map: "an object", model.String: "a string",
	model.Integer: "a whole number", model.Boolean: "true or false",
	model.Timestamp: "a number of seconds or an ISO 8601 date",
}

func wrongType(kind model.Kind, path string) error {
	return malformed("the member '%s' must be %s", path, typeNames[kind])
}

func join(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
