// Package client calls a server by operation name with the wire types of
// package model. The commands of ingot use it, so they go through the same
// signed API as everybody else. Programs of others use the vendor's SDKs.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
)

// Client speaks to one server as one principal.
type Client struct {
	Endpoint        string // http://HOST:PORT, or https
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	Roots           *x509.CertPool // that certificates must lead to; nil: the system's
	HTTP            *http.Client   // nil: one of its own

	once sync.Once
}

// Error is an error answer of the API.
type Error struct {
	Operation string
	Status    int    // of HTTP
	Code      string // exception name, as ResourceNotFoundException
	Message   string
	RequestID string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message)
}

// maxAnswer bounds an answer, in bytes: a page of 25 pipelines with everything stays below 4 MiB.
const maxAnswer = 16 << 20

// Do calls an operation. In is its request of package model, out its response
// or nil. A missing client token is filled in. Errors of the API are *Error.
func (c *Client) Do(ctx context.Context, operation string, in, out any) error {
	req, body, err := c.request(ctx, operation, in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	resp, err := c.send(ctx, req, body)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: reading the answer: %w", operation, err)
	}
	if resp.StatusCode != http.StatusOK {
		return apiError(operation, resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: decoding the answer: %w", operation, err)
	}
	return nil
}

// Healthy returns nil if the server answers.
func (c *Client) Healthy(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Endpoint+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil
}

// send signs a request and sends it.
func (c *Client) send(ctx context.Context, req *http.Request, body []byte) (*http.Response, error) {
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "imagebuilder", c.Region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	return c.http().Do(req)
}

func (c *Client) http() *http.Client {
	c.once.Do(func() {
		if c.HTTP != nil {
			return
		}
		c.HTTP = http.DefaultClient
		if c.Roots != nil {
			t := http.DefaultTransport.(*http.Transport).Clone()
			t.TLSClientConfig = &tls.Config{RootCAs: c.Roots}
			c.HTTP = &http.Client{Transport: t}
		}
	})
	return c.HTTP
}

// request builds the HTTP request; verbs and member locations are api.md §1.1.
func (c *Client) request(ctx context.Context, operation string, in any) (*http.Request, []byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, nil, err
	}
	members := make(map[string]any)
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, nil, err
	}
	target := c.Endpoint + "/" + operation
	switch {
	case strings.HasPrefix(operation, "Get"):
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target+"?"+query(members), nil)
		return req, nil, err
	case strings.HasPrefix(operation, "Delete"):
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, target+"?"+query(members), nil)
		return req, nil, err
	case strings.HasPrefix(operation, "List"):
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
		return req, body, err
	}
	if members["clientToken"] == nil {
		members["clientToken"] = uuid.NewString()
		if body, err = json.Marshal(members); err != nil {
			return nil, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, bytes.NewReader(body))
	return req, body, err
}

func query(members map[string]any) string {
	values := make(url.Values)
	for k, v := range members {
		values.Set(k, fmt.Sprint(v))
	}
	return values.Encode()
}

func apiError(operation string, resp *http.Response, answer []byte) error {
	e := &Error{
		Operation: operation, Status: resp.StatusCode,
		Code: resp.Header.Get("x-amzn-ErrorType"), RequestID: resp.Header.Get("x-amzn-RequestId"),
	}
	var body struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &body); err != nil {
		e.Message = resp.Status
		return e
	}
	e.Message = body.Message
	return e
}
