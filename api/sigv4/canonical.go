package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest is the text whose hash is signed.
func canonicalRequest(r *http.Request, sig *signature, payload string) (string, error) {
	query, err := canonicalQuery(r.URL.RawQuery, sig.presigned)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.URL.EscapedPath()) + "\n" + query + "\n")
	for _, name := range sig.headers {
		value, ok := headerValue(r, name)
		if !ok {
			return "", refuse(Incomplete, "The header '%s' is signed but not in the request.", name)
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(sig.headers, ";") + "\n" + payload)
	return b.String(), nil
}

// canonicalPath escapes the path as sent once more, its slashes aside.
func canonicalPath(escaped string) string {
	if escaped == "" {
		return "/"
	}
	return escape(escaped, true)
}

// canonicalQuery sorts the parameters by name and value, escaped the one way
// that both sides agree on. The signature of a presigned request is not part of it.
func canonicalQuery(raw string, presigned bool) (string, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", refuse(Incomplete, "The query string cannot be read: %v.", err)
	}
	if presigned {
		query.Del("X-Amz-Signature")
	}
	type parameter struct{ name, value string }
	var all []parameter
	for name, values := range query {
		for _, value := range values {
			all = append(all, parameter{escape(name, false), escape(value, false)})
		}
	}
	slices.SortFunc(all, func(a, b parameter) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	pairs := make([]string, len(all))
	for i, p := range all {
		pairs[i] = p.name + "=" + p.value
	}
	return strings.Join(pairs, "&"), nil
}

// headerValue joins the values of a header and collapses their blanks. The
// server takes host and, for a chunked body, content-length out of the header.
func headerValue(r *http.Request, name string) (string, bool) {
	switch values := r.Header.Values(name); {
	case name == "host":
		return r.Host, true
	case len(values) > 0:
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		return strings.Join(trimmed, ","), true
	case name == "content-length" && r.ContentLength >= 0:
		return strconv.FormatInt(r.ContentLength, 10), true
	}
	return "", false
}

const upperHex = "0123456789ABCDEF"

// escape percent-encodes all but the unreserved characters of RFC 3986.
func escape(s string, keepSlash bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' || keepSlash && c == '/' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
	}
	return b.String()
}
