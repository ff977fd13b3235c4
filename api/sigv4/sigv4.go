// Package sigv4 verifies AWS Signature Version 4 on requests, in the header
// form and in the query (presigned) form.
//
// The canonical path is the path as sent, escaped once more, as every service
// but S3 has it. The payload is signed by its SHA-256; a client may state
// UNSIGNED-PAYLOAD instead.
package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Credential is an access key and whose it is.
type Credential struct {
	AccessKeyID  string
	Secret       string
	SessionToken string    // of temporary credentials
	Expires      time.Time // zero: never
	Account      string    // twelve digits
	Principal    string    // ARN of the user or role
}

// Lookup finds the credential of an access key id; found is false when there is none.
type Lookup func(ctx context.Context, accessKeyID string) (c Credential, found bool, err error)

// Verifier checks the signatures of one service.
type Verifier struct {
	Service string // in the credential scope
	Lookup  Lookup
	Regions []string // that requests may name; empty: any well-formed one
	Now     func() time.Time
}

// Identity is who signed a request, and for which region.
type Identity struct {
	Credential
	Region string
}

// Error is a refusal. Type is the exception's name on the wire; the HTTP
// status is 403 for all of them. Source: api.md §1.2.
type Error struct {
	Type        string
	Message     string
	AccessKeyID string // that the request claims; empty if it could not be read
}

func (e *Error) Error() string { return e.Message }

// The exceptions that Verify answers with.
const (
	MissingToken = "MissingAuthenticationTokenException"
	Incomplete   = "IncompleteSignatureException"
	Unrecognized = "UnrecognizedClientException"
	Expired      = "ExpiredTokenException"
	Invalid      = "InvalidSignatureException"
)

func refuse(exception, format string, args ...any) error {
	return &Error{Type: exception, Message: fmt.Sprintf(format, args...)}
}

const (
	algorithm = "AWS4-HMAC-SHA256"
	dateForm  = "20060102T150405Z"
	tolerance = 5 * time.Minute // either way, api.md §1.2
	unsigned  = "UNSIGNED-PAYLOAD"
)

var regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// Verify returns who signed r. Body is the whole raw body, already read.
// Refusals are *Error; any other error is the lookup's.
func (v *Verifier) Verify(r *http.Request, body []byte) (Identity, error) {
	sig, err := parse(r)
	if err != nil {
		return Identity{}, err
	}
	who, err := v.verify(r, body, sig)
	var refused *Error
	if errors.As(err, &refused) {
		refused.AccessKeyID = sig.accessKeyID
	}
	return who, err
}

func (v *Verifier) verify(r *http.Request, body []byte, sig *signature) (Identity, error) {
	if err := v.checkScope(sig); err != nil {
		return Identity{}, err
	}
	c, found, err := v.Lookup(r.Context(), sig.accessKeyID)
	if err != nil {
		return Identity{}, fmt.Errorf("looking up access key %s: %w", sig.accessKeyID, err)
	}
	if !found || subtle.ConstantTimeCompare([]byte(c.SessionToken), []byte(sig.token)) != 1 {
		return Identity{}, refuse(Unrecognized, "The security token included in the request is invalid.")
	}
	if err := v.checkDate(sig); err != nil {
		return Identity{}, err
	}
	if err := checkSignature(r, body, sig, c.Secret); err != nil {
		return Identity{}, err
	}
	if !c.Expires.IsZero() && !v.Now().Before(c.Expires) {
		return Identity{}, refuse(Expired, "The security token included in the request is expired.")
	}
	return Identity{Credential: c, Region: sig.region}, nil
}

func (v *Verifier) checkScope(sig *signature) error {
	switch {
	case sig.service != v.Service:
		return refuse(Invalid, "Credential should be scoped to correct service: '%s'.", v.Service)
	case !regionName.MatchString(sig.region):
		return refuse(Invalid, "Credential should be scoped to a region such as us-east-1, not '%s'.", sig.region)
	case len(v.Regions) > 0 && !slices.Contains(v.Regions, sig.region):
		return refuse(Invalid, "Credential should be scoped to a valid region: this server has %s, not '%s'.", strings.Join(v.Regions, ", "), sig.region)
	case sig.date.Format("20060102") != sig.day:
		return refuse(Invalid, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	return nil
}

// checkDate names the server's time, for people; SDKs read the Date header.
func (v *Verifier) checkDate(sig *signature) error {
	now := v.Now().UTC()
	end := sig.date.Add(tolerance)
	if sig.presigned {
		end = sig.date.Add(sig.lifetime)
	}
	if now.After(end) {
		return refuse(Invalid, "Signature expired: %s is now earlier than %s (%s - 5 min.)",
			sig.date.Format(dateForm), now.Add(-tolerance).Format(dateForm), now.Format(dateForm))
	}
	if sig.date.After(now.Add(tolerance)) {
		return refuse(Invalid, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			sig.date.Format(dateForm), now.Add(tolerance).Format(dateForm), now.Format(dateForm))
	}
	return nil
}

func checkSignature(r *http.Request, body []byte, sig *signature, secret string) error {
	payload := hash(body)
	if stated := r.Header.Get("X-Amz-Content-Sha256"); stated == unsigned {
		payload = unsigned
	} else if stated != "" && stated != payload {
		return refuse(Invalid, "The header x-amz-content-sha256 does not match the request body.")
	}
	canonical, err := canonicalRequest(r, sig, payload)
	if err != nil {
		return err
	}
	scope := strings.Join([]string{sig.day, sig.region, sig.service, terminator}, "/")
	toSign := strings.Join([]string{algorithm, sig.date.Format(dateForm), scope, hash([]byte(canonical))}, "\n")
	want := mac(signingKey(secret, sig), toSign)
	if subtle.ConstantTimeCompare(want, sig.value) != 1 {
		return refuse(Invalid, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return nil
}

func signingKey(secret string, sig *signature) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{sig.day, sig.region, sig.service, terminator} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
