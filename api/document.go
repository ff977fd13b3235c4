package api

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"ingot.dev/ingot"
	"ingot.dev/ingot/blob"
)

// Documents reads the documents that requests name by an s3:// address instead
// of sending them.
type Documents func(ctx context.Context, at blob.Location, limit int64) ([]byte, error)

// addresses are the members that name a document, by operation.
var addresses = map[string]string{
	"CreateComponent": "uri", "ImportComponent": "uri", "CreateWorkflow": "uri", "CreateContainerRecipe": "dockerfileTemplateUri",
}

const (
	maxFetched = 64 << 10 // bytes; api.md §10 has it for documents and templates
	fetchTime  = 10 * time.Second
)

// fetched is a document that a request names by an address, or why it could
// not be read.
type fetched struct {
	text string
	err  error
}

// fetch reads the document of a request. It comes before the transaction, which
// waits for nothing but the store, and its error is kept until the document is
// needed: a repeated request gets the remembered answer, whatever became of the
// object.
func (s *Server) fetch(ctx context.Context, c *call, in map[string]any) {
	member, ok := addresses[c.operation]
	address, given := in[member].(string)
	if !ok || !given || address == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	c.document = new(fetched)
	c.document.text, c.document.err = s.readDocument(ctx, member, address)
}

func (s *Server) readDocument(ctx context.Context, member, address string) (string, error) {
	at, err := blob.ParseLocation(address)
	if err != nil {
		return "", ingot.InvalidField(member, "%s.", err)
	}
	if s.Documents == nil {
		return "", ingot.InvalidField(member, "This server has no object store to read '%s' from. Supply the text itself.", address)
	}
	data, err := s.Documents(ctx, at, maxFetched)
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return "", ingot.InvalidField(member, "'%s' has more than %d bytes.", address, maxFetched)
	case errors.Is(err, blob.ErrNotFound):
		return "", ingot.InvalidField(member, "'%s' does not exist.", address)
	case ingot.ErrorCode(err) == ingot.CodeForbidden:
		return "", ingot.InvalidField(member, "%s", err)
	case err != nil:
		return "", fmt.Errorf("reading %s: %w", address, err)
	case len(data) == 0 || !utf8.Valid(data):
		return "", ingot.InvalidField(member, "'%s' is no text in UTF-8.", address)
	}
	return string(data), nil
}

// documentOf is the text that a request has in a member, or else that of the
// object which it names.
func documentOf(ctx context.Context, text string) (string, error) {
	if d := callOf(ctx).document; d != nil {
		return d.text, d.err
	}
	return text, nil
}
