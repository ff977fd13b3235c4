// Package transport serves HTTP to strangers: everything that a client may
// hold on to (a connection, a header, a body, an answer that it does not
// read) is bounded in number, size or time. It speaks HTTP/1.1 and HTTP/2, with
// TLS by certificate files or in clear text.
package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTime  = 10 * time.Second // from the first byte of a request, or the connection, to the end of its header
	readTime    = 30 * time.Second // the same to the end of its body: 1 MiB at 35 KiB a second
	writeTime   = time.Minute      // from the end of its header to the end of the answer
	idleTime    = 2 * time.Minute  // between two requests
	maxHeader   = 64 << 10         // bytes
	maxStreams  = 64               // requests at once on a connection of HTTP/2
	maxFrame    = 64 << 10         // bytes of a frame of HTTP/2
	connWindow  = 1 << 20          // unread bytes that a connection of HTTP/2 may send
	pingTimeout = 15 * time.Second // for a peer that is gone without a word
)

// Config says what is served. Handler and Log are required.
type Config struct {
	Handler     http.Handler
	Log         *slog.Logger
	Connections int          // at once; the one idle for longest makes room for the next; 0: no bound
	TLS         *Certificate // nil: clear text
}

// Server serves one listener.
type Server struct {
	http *http.Server
	done chan struct{} // closed when nothing is accepted any more
}

// Serve serves l until Close.
func Serve(l net.Listener, c Config) *Server {
	open := &connections{max: c.Connections}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(c.TLS != nil)
	protocols.SetUnencryptedHTTP2(c.TLS == nil) // by prior knowledge
	s := &Server{done: make(chan struct{}), http: &http.Server{
		Handler:           c.Handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		Protocols:         protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame,
			MaxReceiveBufferPerConnection: connWindow, SendPingTimeout: idleTime, PingTimeout: pingTimeout,
		},
		ConnState: open.changed,
		ErrorLog:  slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug), // what strangers do wrong
	}}
	serve := func() error { return s.http.Serve(l) }
	if c.TLS != nil {
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.TLS.get}
		serve = func() error { return s.http.ServeTLS(l, "", "") }
	}
	go func() {
		defer close(s.done)
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("serving", "address", l.Addr(), "error", err)
		}
	}()
	return s
}

// Close ends what is under way and returns when nothing is accepted any more.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	if err != nil {
		return fmt.Errorf("closing the listener: %w", err)
	}
	return nil
}
