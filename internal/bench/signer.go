package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot/client"
)

// signer signs requests as any client does, at a small part of an SDK's cost:
// the processors are the server's to use.
type signer struct {
	host, region, keyID, secret string
	day                         string
	key                         []byte // of the day
}

func newSigner(c *client.Client) *signer {
	return &signer{
		host: strings.TrimPrefix(c.Endpoint, "http://"), region: c.Region,
		keyID: c.AccessKeyID, secret: c.SecretAccessKey,
	}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// request is an operation in the form that is sent: path and query are escaped.
type request struct {
	method, path, query string
	body                string
}

// write appends r, signed at now, as HTTP/1.1 has it.
func (s *signer) write(out *bytes.Buffer, r request, now time.Time) {
	date := now.UTC().Format("20060102T150405Z")
	if day := date[:8]; day != s.day {
		key := mac([]byte("AWS4"+s.secret), day)
		for _, part := range []string{s.region, "imagebuilder", "aws4_request"} {
			key = mac(key, part)
		}
		s.day, s.key = day, key
	}
	body := sha256.Sum256([]byte(r.body))
	canonical := r.method + "\n" + strings.ReplaceAll(r.path, "%", "%25") + "\n" + r.query + "\nhost:" + s.host + "\nx-amz-date:" + date +
		"\n\nhost;x-amz-date\n" + hex.EncodeToString(body[:])
	sum := sha256.Sum256([]byte(canonical))
	scope := s.day + "/" + s.region + "/imagebuilder/aws4_request"
	signature := hex.EncodeToString(mac(s.key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	target := r.path
	if r.query != "" {
		target += "?" + r.query
	}
	fmt.Fprintf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=host;x-amz-date, Signature=%s\r\nContent-Length: %d\r\n\r\n%s",
		r.method, target, s.host, date, s.keyID, scope, signature, len(r.body), r.body)
}

// connection sends one request after the other.
type connection struct {
	signer
	conn net.Conn
	in   *bufio.Reader
	out  bytes.Buffer
}

func (s *signer) dial() (*connection, error) {
	conn, err := net.Dial("tcp", s.host)
	if err != nil {
		return nil, err
	}
	return &connection{signer: *s, conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// send returns how long the answer took, to its last byte. Any status but 200
// is an error.
func (c *connection) send(r request) (time.Duration, error) {
	start := time.Now()
	c.out.Reset()
	c.write(&c.out, r, start)
	if _, err := c.conn.Write(c.out.Bytes()); err != nil {
		return 0, err
	}
	status, length, err := c.header()
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if status != "200" {
		body, _ := c.in.Peek(length)
		return 0, fmt.Errorf("%s %s: %s %s", r.method, r.path, status, body)
	}
	_, err = c.in.Discard(length)
	return time.Since(start), err
}

// header reads an answer's header; the server always says how long its body is.
func (c *connection) header() (status string, length int, err error) {
	length = -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return "", 0, err
		}
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 && length < 0:
			return "", 0, fmt.Errorf("the answer has no length")
		case len(line) == 0:
			return status, length, nil
		case status == "":
			if _, rest, ok := strings.Cut(string(line), " "); ok {
				status, _, _ = strings.Cut(rest, " ")
			}
		default:
			if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(value)); err != nil {
					return "", 0, err
				}
			}
		}
	}
}
