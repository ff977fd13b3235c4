package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/iam"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
)

// Logs are not part of the service's API, which leaves them to another one.
// Requests are signed like all others, with the parameters in the query:
//
//	GET /logs/groups?prefix=&after=                    names of groups, 1000 at a time
//	GET /logs/streams?group=                           the 1000 that were written last, the newest first
//	GET /logs/events?group=&stream=&offset=&since=     a log as server-sent events
//	GET /logs/events?image=&offset=&since=             that of an image build, which may not have begun
//
// What a caller must be allowed is that of the other service: logs:DescribeLogGroups,
// logs:DescribeLogStreams, logs:GetLogEvents.

// logRequest is a path of logs.
type logRequest struct {
	operation  string   // for metrics and the server's log
	parameters []string // that it takes
	serve      func(s *Server, w http.ResponseWriter, r *http.Request, c *call, q url.Values) error
}

var logRequests = map[string]logRequest{
	"/logs/groups":  {"ListLogGroups", []string{"prefix", "after"}, (*Server).listLogGroups},
	"/logs/streams": {"ListLogStreams", []string{"group"}, (*Server).listLogStreams},
	"/logs/events":  {"FollowLog", []string{"group", "stream", "image", "offset", "since"}, (*Server).followLog},
}

const (
	// maxNames bounds the names in one answer.
	maxNames = 1000
	// maxFollowers bounds the logs that are followed at once. A follower that
	// waits costs some 100 KiB and looks at its file 20 times a second.
	maxFollowers = 200
)

// serveLog answers a request of logs.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request, c *call, l logRequest) {
	c.operation = l.operation
	w.Header().Set("Date", c.started.UTC().Format(http.TimeFormat))
	q, err := s.admitLog(r, c, l)
	if err == nil {
		err = l.serve(s, w, r, c, q)
	}
	if err == nil {
		return
	}
	f, body := s.refuse(w, c, err)
	s.observe(r, c, f.status, f.exception)
	sendJSON(w, f.status, body)
}

func sendJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	send(w, status, body)
}

// admitLog returns the parameters of a request whose signature is good.
func (s *Server) admitLog(r *http.Request, c *call, l logRequest) (url.Values, error) {
	if err := s.authenticate(r, nil, c); err != nil {
		return nil, err
	}
	if err := s.throttled(c); err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, ingot.Errorf(ingot.CodeInvalid, "The query of the request cannot be read: %.200s.", err)
	}
	for name, values := range q {
		signature := strings.HasPrefix(strings.ToLower(name), "x-amz-")
		if !signature && !slices.Contains(l.parameters, name) {
			return nil, ingot.Errorf(ingot.CodeInvalid, "There is no parameter '%.50s' here; there are %s.", name, strings.Join(l.parameters, ", "))
		}
		if len(values) > 1 {
			return nil, ingot.Errorf(ingot.CodeInvalid, "The parameter '%.50s' is given %d times.", name, len(values))
		}
	}
	return q, nil
}

// mayLog returns CodeDenied unless the caller's policies allow an action on a
// log group, or what is behind it.
func (s *Server) mayLog(r *http.Request, c *call, action, resource string) error {
	subject := c.identity.subject
	if subject.Unrestricted {
		return nil
	}
	question := &question{r.Context(), s, c, nil}
	arn := fmt.Sprintf("arn:%s:logs:%s:%s:log-group:%s", c.Partition, c.Region, c.Account, resource)
	return (&iam.Request{Subject: subject, Action: "logs:" + action, Resource: arn, Keys: maps.Clone(question.keys(r))}).Authorize()
}

func (s *Server) listLogGroups(w http.ResponseWriter, r *http.Request, c *call, q url.Values) error {
	if err := s.mayLog(r, c, "DescribeLogGroups", "*"); err != nil {
		return err
	}
	leave, err := s.slots.take(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	list, err := s.Logs.Groups(c.Scope, q.Get("prefix"))
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(g logs.Group) bool { return g.Name <= q.Get("after") && q.Has("after") })
	return s.sendNames(w, r, c, "groups", list[:min(len(list), maxNames)], len(list))
}

func (s *Server) listLogStreams(w http.ResponseWriter, r *http.Request, c *call, q url.Values) error {
	group := q.Get("group")
	if err := ingot.CheckLogGroup(group); err != nil {
		return err
	}
	if err := s.mayLog(r, c, "DescribeLogStreams", group+":*"); err != nil {
		return err
	}
	leave, err := s.slots.take(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	list, err := s.Logs.Streams(c.Scope, group)
	if err != nil {
		return err
	}
	slices.Reverse(list)
	return s.sendNames(w, r, c, "streams", list[:min(len(list), maxNames)], len(list))
}

// sendNames answers with a list, and whether there are more.
func (s *Server) sendNames(w http.ResponseWriter, r *http.Request, c *call, name string, list any, all int) error {
	body, err := json.Marshal(map[string]any{name: list, "more": all > maxNames})
	if err != nil {
		return err
	}
	s.observe(r, c, http.StatusOK, "")
	sendJSON(w, http.StatusOK, body)
	return nil
}

func (s *Server) followLog(w http.ResponseWriter, r *http.Request, c *call, q url.Values) error {
	e := logs.Events{Follow: logs.Follow{Wait: true}}
	var err error
	if e.From, err = logOffset(r, q); err != nil {
		return err
	}
	if e.Since, err = logSince(q); err != nil {
		return err
	}
	if e.File, err = s.findLog(r, c, q); err != nil {
		return err
	}
	leave, err := s.followers.take(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	s.observe(r, c, http.StatusOK, "") // now: it may last
	return e.Serve(w, r)
}

// findLog returns the file of the log that a request names and may read.
func (s *Server) findLog(r *http.Request, c *call, q url.Values) (string, error) {
	l := ingot.LogStream{Scope: c.Scope, Group: q.Get("group"), Name: q.Get("stream")}
	if !q.Has("image") {
		if err := l.Check(); err != nil {
			return "", err
		}
		if err := s.mayLog(r, c, "GetLogEvents", l.Group+":log-stream:"+l.Name); err != nil {
			return "", err
		}
		return s.Logs.Find(l)
	}
	if q.Has("group") || q.Has("stream") {
		return "", ingot.Errorf(ingot.CodeCombination, "Either 'image' must be given, or 'group' and 'stream'.")
	}
	image, err := ingot.ParseARN(q.Get("image"))
	if err != nil || image.Kind != ingot.KindImage || !image.IsExact() || image.Build == 0 {
		return "", ingot.Errorf(ingot.CodeInvalid, "The image '%.300s' is not the ARN of an image build.", q.Get("image"))
	}
	if image.Scope() != c.Scope {
		return "", ingot.NotFound(image) // logs are not shared with the image
	}
	record, err := s.Store.Get(r.Context(), image)
	if err != nil {
		return "", err
	}
	document, err := ingot.Decode[model.Image](record)
	if err != nil {
		return "", err
	}
	l = ingot.ImageLog(image, document)
	if err := s.mayLog(r, c, "GetLogEvents", l.Group+":log-stream:"+l.Name); err != nil {
		return "", err
	}
	return s.Logs.Image(record.ARN), nil
}

// logOffset is where a follower goes on: after the last event that it had, or
// at the offset in the query.
func logOffset(r *http.Request, q url.Values) (int64, error) {
	text := q.Get("offset")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		text = last
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, ingot.Errorf(ingot.CodeInvalid, "The offset '%.50s' is not one: it must be 0 or the id of an event.", text)
	}
	return n, nil
}

func logSince(q url.Values) (time.Time, error) {
	text := q.Get("since")
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, ingot.Errorf(ingot.CodeInvalid, "The time '%.50s' in 'since' is not one: it must be like 2026-12-31T23:59:59Z.", text)
	}
	return t, nil
}
