package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/sigv4"
	"ingot.dev/ingot/audit"
)

// Bounds of what a line tells of a request. Source: api.md §8.3.
const (
	maxTrailText   = 4 << 10  // bytes of one string, such as a document
	maxTrailInput  = 64 << 10 // bytes of all parameters
	maxTrailAgent  = 512      // bytes
	trailVersion   = "1.11"
	trailSource    = "imagebuilder.amazonaws.com"
	unknownCaller  = "Unknown"
	trailEventType = "AwsApiCall"
)

// record puts a request into the audit log before it is answered. The request has happened
// already: what keeps it from being recorded is for the operator, not for the
// client. refused is nil for a success.
func (s *Server) record(r *http.Request, c *call, answer []byte, cause error, refused *fault) {
	if s.Audit == nil || c.operation == unknownName {
		return
	}
	e := audit.Event{
		Version: trailVersion, UserIdentity: callerIdentity(c, cause), Time: c.started.UTC().Truncate(time.Second),
		Source: trailSource, Name: c.operation, Region: c.Region, SourceIPAddress: sourceAddress(r),
		UserAgent: clip(r.UserAgent(), maxTrailAgent), RequestParameters: trailParameters(c.input),
		RequestID: c.RequestID, EventID: uuid.NewString(), ReadOnly: c.isRead(),
		Type: trailEventType, ManagementEvent: true, RecipientAccountID: c.Account, Category: "Management",
	}
	switch {
	case refused != nil:
		e.ErrorCode, e.ErrorMessage = refused.exception, clip(refused.message, maxTrailText)
	case !e.ReadOnly:
		e.ResponseElements = answer
	}
	if err := s.Audit.Record(e); err != nil {
		s.Log.Error("request not in the audit log", slog.String("request", c.RequestID), slog.Any("error", err))
	}
}

func (c *call) isRead() bool {
	return strings.HasPrefix(c.operation, "Get") || strings.HasPrefix(c.operation, "List")
}

// accessKeyForm keeps what is no id of a key, such as a secret in its place,
// from the log.
var accessKeyForm = regexp.MustCompile(`^[A-Z0-9]{16,32}$`)

func callerIdentity(c *call, cause error) audit.Identity {
	who := c.identity
	if who == nil {
		var refused *sigv4.Error
		if errors.As(cause, &refused) && accessKeyForm.MatchString(refused.AccessKeyID) {
			return audit.Identity{Type: unknownCaller, AccessKeyID: refused.AccessKeyID}
		}
		return audit.Identity{Type: unknownCaller}
	}
	p := who.subject.Principal
	out := audit.Identity{
		Type: "IAMUser", PrincipalID: p.ID, ARN: p.ARN, AccountID: p.Account,
		AccessKeyID: who.credential.AccessKeyID, UserName: who.principal.Name,
	}
	if who.principal.Kind == ingot.PrincipalRole {
		out.Type, out.UserName = "AssumedRole", ""
	}
	return out
}

func sourceAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// trailParameters is the input of a request without its long texts.
func trailParameters(in map[string]any) map[string]any {
	if in == nil {
		return nil
	}
	short := elide(in).(map[string]any)
	data, err := json.Marshal(short)
	if err != nil || len(data) > maxTrailInput {
		return map[string]any{"elided": fmt.Sprintf("%d bytes of parameters", len(data))}
	}
	return short
}

// elide replaces long strings by their length.
func elide(value any) any {
	switch v := value.(type) {
	case string:
		if len(v) > maxTrailText {
			return fmt.Sprintf("(elided: %d bytes)", len(v))
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[clip(name, maxTrailText)] = elide(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = elide(item)
		}
		return out
	}
	return value
}

// clip cuts a text to at most so many bytes, between characters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
