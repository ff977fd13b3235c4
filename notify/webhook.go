package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot"
)

// Webhook gets messages by POST. Give the URL, or the name of a file with it
// where the URL is the secret.
type Webhook struct {
	URL        string   `yaml:"url,omitempty" json:"url,omitempty"`
	URLFile    string   `yaml:"urlFile,omitempty" json:"urlFile,omitempty"`
	SecretFile string   `yaml:"secretFile,omitempty" json:"secretFile,omitempty"` // key of the signature
	CAFile     string   `yaml:"caFile,omitempty" json:"caFile,omitempty"`         // PEM, in place of the system's
	Timeout    Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`       // of an attempt; 10s
}

// SignatureHeader has the form t=SECONDS,v1=HEX: an HMAC-SHA-256 of the seconds
// since 1970, a dot and the body.
const SignatureHeader = "Ingot-Signature"

// Signature is the value of SignatureHeader.
func Signature(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// minWebhookSecret is the least length of a secret, in bytes.
const minWebhookSecret = 16

func (w *Webhook) check() error {
	if (w.URL == "") == (w.URLFile == "") {
		return errors.New("url: give one of url and urlFile")
	}
	if w.URL != "" {
		if err := checkURL(w.URL); err != nil {
			return fmt.Errorf("url: %w", err)
		}
	}
	return cmp.Or(checkPath("urlFile", w.URLFile), checkPath("secretFile", w.SecretFile), checkPath("caFile", w.CAFile))
}

func (w *Webhook) checkFiles() error {
	if _, err := w.url(); err != nil {
		return fmt.Errorf("urlFile: %w", err)
	}
	if w.SecretFile != "" {
		secret, err := readSecret(w.SecretFile)
		if err != nil {
			return fmt.Errorf("secretFile: %w", err)
		}
		if len(secret) < minWebhookSecret {
			return fmt.Errorf("secretFile: %s has less than %d bytes; `openssl rand -hex 32` makes a good one", w.SecretFile, minWebhookSecret)
		}
	}
	if _, err := authorities(w.CAFile); err != nil {
		return fmt.Errorf("caFile: %w", err)
	}
	return nil
}

// url is the address, checked.
func (w *Webhook) url() (string, error) {
	address := w.URL
	if w.URLFile != "" {
		data, err := readSecret(w.URLFile)
		if err != nil {
			return "", err
		}
		address = string(data)
	}
	return address, checkURL(address)
}

// authorities reads certificates to trust; nil are the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, nil
}

// webhookSender keeps connections between messages.
type webhookSender struct {
	*Webhook
	client *http.Client
}

// Bounds of what a webhook may answer, in bytes.
const (
	maxAnswerHeader = 64 << 10
	maxAnswer       = 4 << 10 // read of the body; the rest closes the connection
)

func (w *Webhook) sender() sender {
	pool, err := authorities(w.CAFile)
	if err != nil {
		pool = x509.NewCertPool() // was there when it was checked: trust nobody
	}
	return &webhookSender{w, &http.Client{
		Timeout: w.Timeout.or(10 * time.Second),
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost:    webhooksAtOnce,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxAnswerHeader,
			ForceAttemptHTTP2:      true,
		},
		// Following would send what was signed for one address to another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

const webhooksAtOnce = 8

func (w *webhookSender) atOnce() int { return webhooksAtOnce }

func (w *webhookSender) close() { w.client.CloseIdleConnections() }

func (w *webhookSender) send(ctx context.Context, d ingot.Delivery, now time.Time) error {
	req, err := w.request(ctx, d, now)
	if err != nil {
		return err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which may be a secret
		}
		return fmt.Errorf("posting to %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	// The status is the answer: a body that breaks off does not take it back.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("%s answered %s: redirects are not followed; configure the address that it names", req.URL.Host, resp.Status)
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		return fmt.Errorf("%s answered %s: %s", req.URL.Host, resp.Status, oneLine(answer))
	}
	return nil
}

func (w *webhookSender) request(ctx context.Context, d ingot.Delivery, now time.Time) (*http.Request, error) {
	address, err := w.url()
	if err != nil {
		return nil, err
	}
	body, err := payload(d.Message)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL is not one")
	}
	h := req.Header
	h.Set("User-Agent", "Ingot")
	h.Set("Content-Type", "application/json")
	h.Set("Ingot-Message-Id", d.Message.ID)
	h.Set("Ingot-Attempt", strconv.Itoa(d.Attempts+1))
	if d.Channel == ingot.ChannelTopic { // as the vendor's service has them
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Set("X-Amz-Sns-Message-Type", "Notification")
		h.Set("X-Amz-Sns-Message-Id", d.Message.ID)
		h.Set("X-Amz-Sns-Topic-Arn", d.Name)
	}
	if w.SecretFile == "" {
		return req, nil
	}
	secret, err := readSecret(w.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("reading the key of the signature: %w", err)
	}
	h.Set(SignatureHeader, Signature(secret, body, now))
	return req, nil
}

// maxProblem is how much of an answer a problem quotes, in characters.
const maxProblem = 300

// oneLine makes what somebody answered fit into a message.
func oneLine(answer []byte) string {
	runes := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(answer), "?")), " "))
	if len(runes) > maxProblem {
		return string(runes[:maxProblem]) + "…"
	}
	return string(runes)
}
