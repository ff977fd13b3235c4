package guest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The greeting is four kinds of lines. Each ends with a fixed number of bytes,
// so leftovers of an earlier connection in front of it do no harm:
//
//	near  hello NONCE-N            repeated until it is answered: an old session may swallow some
//	far   answer NONCE-F MAC(far, NONCE-N, NONCE-F)
//	near  proof MAC(near, NONCE-F, NONCE-N)
//	far   ready MAC(ready, NONCE-N, NONCE-F)
//
// Both nonces stay the same for one greeting. All answers come before ready,
// so whatever follows it is HTTP/2 and fresh.
const (
	magic      = "ingot1-"
	helloWord  = magic + "hello "
	answerWord = magic + "answer "
	proofWord  = magic + "proof "
	readyWord  = magic + "ready "
	nonceLen   = 32 // hex digits
	macLen     = 64 // hex digits

	helloEvery   = 200 * time.Millisecond
	maxLeftovers = 64 << 20 // what may stand before the answer
	maxGreetLine = 4 << 10  // longer lines are leftovers, cut into pieces
)

func mac(token, role, first, second string) string {
	m := hmac.New(sha256.New, []byte(token))
	io.WriteString(m, role+" "+first+" "+second) // a hash does not fail
	return hex.EncodeToString(m.Sum(nil))
}

func newNonce() string {
	b := make([]byte, nonceLen/2)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// greet is the near side. It gives up with ctx and closes conn then.
func greet(ctx context.Context, conn net.Conn, token string) (net.Conn, error) {
	if token == "" {
		return nil, errors.New("the token is empty")
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	stream, err := greetNear(conn, token, newNonce())
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return stream, err
}

func greetNear(conn net.Conn, token, near string) (net.Conn, error) {
	hellos := repeat(conn, "\n"+helloWord+near+"\n")
	r := bufio.NewReaderSize(conn, maxGreetLine)
	left := maxLeftovers
	tail, err := readWord(r, &left, answerWord, nonceLen+1+macLen, func(tail string) bool {
		return hmac.Equal([]byte(tail[nonceLen+1:]), []byte(mac(token, "far", near, tail[:nonceLen])))
	})
	if stopErr := hellos(); err == nil {
		err = stopErr
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for its answer: %w", err)
	}
	far := tail[:nonceLen]
	if _, err := io.WriteString(conn, proofWord+mac(token, "near", far, near)+"\n"); err != nil {
		return nil, fmt.Errorf("proving the token: %w", err)
	}
	want := mac(token, "ready", near, far)
	if _, err := readWord(r, &left, readyWord, macLen, func(tail string) bool { return tail == want }); err != nil {
		return nil, fmt.Errorf("waiting until it is ready: %w", err)
	}
	return &bufferedConn{Conn: conn, r: r}, nil
}

// repeat writes line at once and then every helloEvery, until the returned
// function is called, which waits for the last write.
func repeat(w io.Writer, line string) (stop func() error) {
	quit, done := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(helloEvery)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(w, line); err != nil {
				done <- err
				return
			}
			select {
			case <-tick.C:
			case <-quit:
				done <- nil
				return
			}
		}
	}()
	return func() error { close(quit); return <-done }
}

// greetFar is the far side: it waits as long as it takes for a near side that
// knows the token.
func greetFar(conn net.Conn, token string) (net.Conn, error) {
	if token == "" {
		return nil, errors.New("the token is empty")
	}
	far := newNonce()
	r := bufio.NewReaderSize(conn, maxGreetLine)
	known := "" // the nonce of the latest hello
	for {
		line, err := readPiece(r)
		if err != nil {
			return nil, err
		}
		if near, ok := word(line, helloWord, nonceLen); ok {
			known = near
			if _, err := io.WriteString(conn, "\n"+answerWord+far+" "+mac(token, "far", near, far)+"\n"); err != nil {
				return nil, err
			}
			continue
		}
		proof, ok := word(line, proofWord, macLen)
		if ok && known != "" && hmac.Equal([]byte(proof), []byte(mac(token, "near", far, known))) {
			_, err := io.WriteString(conn, readyWord+mac(token, "ready", known, far)+"\n")
			return &bufferedConn{Conn: conn, r: r}, err
		}
	}
}

// readWord skips lines until one ends with name and a tail of n bytes that ok
// accepts, and returns the tail. left bounds what is skipped.
func readWord(r *bufio.Reader, left *int, name string, n int, ok func(tail string) bool) (string, error) {
	for *left > 0 {
		line, err := readPiece(r)
		if err != nil {
			return "", err
		}
		*left -= len(line)
		if tail, found := word(line, name, n); found && ok(tail) {
			return tail, nil
		}
	}
	return "", fmt.Errorf("more than %d bytes came before it", maxLeftovers)
}

// readPiece reads a line, or maxGreetLine bytes of a longer one.
func readPiece(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return line, nil
	}
	return line, err
}

// word returns the n bytes at the end of line, if name stands before them.
func word(line []byte, name string, n int) (string, bool) {
	line, whole := bytes.CutSuffix(line, []byte("\n"))
	at := len(line) - n - len(name)
	if !whole || at < 0 || string(line[at:at+len(name)]) != name {
		return "", false
	}
	return string(line[at+len(name):]), true
}

// bufferedConn reads what the greeting already buffered first.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }
