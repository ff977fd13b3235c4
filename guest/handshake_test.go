package guest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// pair is a connected pair with buffers, as a virtio port and a Unix socket have.
func pair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestGreetingAfterLeftovers(t *testing.T) {
	oldProof := proofWord + mac("t", "near", newNonce(), newNonce()) + "\n"
	oldAnswer := answerWord + newNonce() + " " + mac("t", "far", newNonce(), newNonce()) + "\n"
	for name, left := range map[string]struct{ toFar, toNear string }{
		"none":            {"", ""},
		"half a line":     {"abc", "abc"},
		"binary":          {"\x00\x00\x12\x04\xff\n\x00", strings.Repeat("\x00\xff\n", 10_000)},
		"an old greeting": {helloWord + newNonce() + "\n" + oldProof, oldAnswer + readyWord + strings.Repeat("0", macLen) + "\n"},
		"a long line":     {strings.Repeat("x", 3*maxGreetLine), strings.Repeat("y", 3*maxGreetLine)},
		"words cut short": {helloWord, answerWord},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			for to, text := range map[net.Conn]string{near: left.toFar, far: left.toNear} {
				if _, err := io.WriteString(to, text); err != nil {
					t.Fatal(err)
				}
			}
			greetBoth(t, near, far)
		})
	}
}

// greetBoth greets from both sides and checks that the stream is in step.
func greetBoth(t *testing.T, near, far net.Conn) {
	t.Helper()
	farEnd := make(chan net.Conn, 1)
	go func() {
		c, err := greetFar(far, "t")
		if err != nil {
			t.Errorf("greetFar: %v", err)
		}
		farEnd <- c
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := greet(ctx, near, "t")
	if err != nil {
		t.Fatalf("greet: %v", err)
	}
	f := <-farEnd
	for _, way := range []struct{ from, to net.Conn }{{n, f}, {f, n}} {
		go io.WriteString(way.from, "first\n")
		line, err := bufio.NewReader(way.to).ReadString('\n')
		if err != nil || line != "first\n" {
			t.Errorf("read %q, %v after the greeting, want first", line, err)
		}
	}
}

// A far side that is late, or whose old session swallows the first hellos, is
// greeted all the same.
func TestGreetingIsRepeated(t *testing.T) {
	near, far := pair(t)
	swallowed := len("\n"+helloWord) + nonceLen + 1
	late := make(chan net.Conn, 1)
	go func() {
		io.CopyN(io.Discard, far, int64(swallowed+10))
		c, err := greetFar(far, "t")
		if err != nil {
			t.Errorf("greetFar: %v", err)
		}
		late <- c
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := greet(ctx, near, "t"); err != nil {
		t.Fatalf("greet: %v", err)
	}
	<-late
}

func TestGreetingNeedsTheToken(t *testing.T) {
	for _, tokens := range [][2]string{{"a", "b"}, {"a", ""}, {"", "a"}} {
		near, far := pair(t)
		go greetFar(far, tokens[1])
		ctx, cancel := context.WithTimeout(t.Context(), 3*helloEvery)
		if _, err := greet(ctx, near, tokens[0]); err == nil {
			t.Errorf("greet with tokens %q: no error", tokens)
		}
		cancel()
	}
}

// A guest without the token must not make the far side speak HTTP/2 with it.
func TestFarSideNeedsProof(t *testing.T) {
	near, far := pair(t)
	ended := make(chan error, 1)
	go func() { _, err := greetFar(far, "t"); ended <- err }()
	io.WriteString(near, helloWord+newNonce()+"\n"+proofWord+strings.Repeat("0", macLen)+"\n")
	near.Close()
	if err := <-ended; err == nil {
		t.Error("greetFar accepted a proof of zeros")
	}
}

func FuzzGreetingReaders(f *testing.F) {
	f.Add([]byte(helloWord + "00\n"))
	f.Add([]byte("\n" + helloWord + newNonce() + "\n" + proofWord + strings.Repeat("a", macLen) + "\n"))
	f.Add(bytes.Repeat([]byte{0xff}, maxGreetLine+1))
	f.Fuzz(func(t *testing.T, data []byte) {
		far := &scripted{in: bytes.NewReader(data)}
		if c, err := greetFar(far, "secret"); err == nil {
			t.Fatalf("%v was greeted without the token by %q", c, data)
		}
		if c, err := greetNear(&scripted{in: bytes.NewReader(data)}, "secret", newNonce()); err == nil {
			t.Fatalf("%v greeted without the token by %q", c, data)
		}
	})
}

// scripted is a connection whose other side says what it says.
type scripted struct {
	net.Conn
	in io.Reader
}

func (s *scripted) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }
