package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	terminator = "aws4_request"
	// maxLifetime of a presigned request, as the vendor has it.
	maxLifetime = 7 * 24 * time.Hour
	// maxParts bounds what the parser looks at; clients sign about six headers.
	maxParts = 64
)

// signature is what a request says of its own signature.
type signature struct {
	accessKeyID          string
	day, region, service string // the credential scope
	date                 time.Time
	headers              []string // signed ones, lower case, sorted
	value                []byte
	token                string // session token
	presigned            bool
	lifetime             time.Duration // of a presigned request
}

func parse(r *http.Request) (*signature, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(Incomplete, "The query string cannot be read: %v.", err)
	}
	var sig *signature
	if header := r.Header.Get("Authorization"); header != "" {
		sig, err = parseHeader(header, r.Header)
	} else if query.Has("X-Amz-Algorithm") {
		sig, err = parseQuery(query)
	} else {
		return nil, refuse(MissingToken, "Missing Authentication Token")
	}
	if err != nil {
		return nil, err
	}
	return sig, checkSigned(r, sig)
}

// checkSigned refuses a request that leaves out what must be signed: the
// host, and whatever else the service acts on.
func checkSigned(r *http.Request, sig *signature) error {
	if !slices.Contains(sig.headers, "host") {
		return refuse(Incomplete, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(sig.headers, lower) {
			return refuse(Incomplete, "'%s' must be a 'SignedHeader' in the AWS Authorization.", lower)
		}
	}
	return nil
}

func parseHeader(authorization string, header http.Header) (*signature, error) {
	sig, err := parseAuthorization(authorization)
	if err != nil {
		return nil, err
	}
	sig.token = header.Get("X-Amz-Security-Token")
	if date := header.Get("X-Amz-Date"); date != "" {
		sig.date, err = time.Parse(dateForm, date)
	} else {
		sig.date, err = http.ParseTime(header.Get("Date"))
	}
	if err != nil {
		return nil, refuse(Incomplete, "The request needs the header X-Amz-Date in the form YYYYMMDD'T'HHMMSS'Z', or Date.")
	}
	sig.date = sig.date.UTC()
	return sig, nil
}

// parseAuthorization reads
//
//	AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX
//
// in which the blanks after the commas may be missing.
func parseAuthorization(header string) (*signature, error) {
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return nil, refuse(Incomplete, "The Authorization header must begin with '%s'.", algorithm)
	}
	values := map[string]string{}
	for _, part := range strings.SplitN(rest, ",", maxParts) {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := values[name]; !found || twice {
			return nil, refuse(Incomplete, "The Authorization header has a part that is not name=value, or a name twice.")
		}
		values[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if values[name] == "" {
			return nil, refuse(Incomplete, "Authorization header requires '%s' parameter.", name)
		}
	}
	return newSignature(values["Credential"], values["SignedHeaders"], values["Signature"])
}

func parseQuery(query url.Values) (*signature, error) {
	if got := query.Get("X-Amz-Algorithm"); got != algorithm {
		return nil, refuse(Incomplete, "The parameter X-Amz-Algorithm must be '%s'.", algorithm)
	}
	sig, err := newSignature(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"))
	if err != nil {
		return nil, err
	}
	if sig.date, err = time.Parse(dateForm, query.Get("X-Amz-Date")); err != nil {
		return nil, refuse(Incomplete, "The parameter X-Amz-Date must have the form YYYYMMDD'T'HHMMSS'Z'.")
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	if sig.lifetime = time.Duration(seconds) * time.Second; err != nil || seconds < 1 || seconds > int(maxLifetime/time.Second) {
		return nil, refuse(Incomplete, "The parameter X-Amz-Expires must be a number of seconds from 1 to 604800.")
	}
	sig.token, sig.presigned = query.Get("X-Amz-Security-Token"), true
	return sig, nil
}

func newSignature(credential, headers, value string) (*signature, error) {
	scope := strings.SplitN(credential, "/", maxParts)
	if len(scope) != 5 || slices.Contains(scope, "") || scope[4] != terminator {
		return nil, refuse(Incomplete, "The credential must be <key>/<YYYYMMDD>/<region>/<service>/aws4_request.")
	}
	bytes, err := hex.DecodeString(value)
	if err != nil || len(bytes) != 32 {
		return nil, refuse(Incomplete, "The signature must be 64 hexadecimal digits.")
	}
	names := strings.SplitN(strings.ToLower(headers), ";", maxParts)
	slices.Sort(names)
	return &signature{
		accessKeyID: scope[0], day: scope[1], region: scope[2], service: scope[3],
		headers: names, value: bytes,
	}, nil
}
