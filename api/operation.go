package api

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"ingot.dev/ingot"
)

// tokenLife is how long a client token is remembered. Source: api.md §1.8.
const tokenLife = 24 * time.Hour

// read registers the handler of an operation that changes nothing.
func read[In, Out any](s *Server, name string, f func(context.Context, *In) (*Out, error)) {
	register(s, name, f)
}

// write registers the handler of an operation that changes records. It runs in
// one transaction with the client token: see the package comment.
func write[In, Out any](s *Server, name string, f func(context.Context, ingot.Tx, *In) (*Out, error)) {
	register(s, name, func(ctx context.Context, in *In) (*Out, error) {
		c := callOf(ctx)
		var out *Out
		err := s.Store.Write(ctx, func(tx ingot.Tx) (err error) {
			c.after = nil
			if out, err = replay[Out](ctx, tx, s.Now()); out != nil || err != nil {
				return err
			}
			if out, err = f(ctx, tx, in); err != nil {
				return err
			}
			if c.dryRun {
				return ingot.Errorf(ingot.CodeDryRun, "Request would have succeeded, but dryRun flag is set.")
			}
			setMember(out, "ClientToken", c.token)
			return remember(ctx, tx, out, s.Now())
		})
		if err != nil {
			return nil, err
		}
		for _, f := range c.after {
			f(context.WithoutCancel(ctx))
		}
		return out, nil
	})
}

// register gives an operation its handler. A handler whose types are not the
// operation's is a programmer's mistake.
func register[In, Out any](s *Server, name string, f func(context.Context, *In) (*Out, error)) {
	op := s.byName(name)
	if in, out := reflect.TypeFor[In]().Name(), reflect.TypeFor[Out]().Name(); in != op.Input.Name || out != op.Output {
		panic(fmt.Sprintf("api: %s takes %s and returns %s, not %s and %s", name, op.Input.Name, op.Output, in, out))
	}
	op.serve = func(ctx context.Context, members map[string]any) (any, error) {
		in := new(In)
		if err := remarshal(members, in); err != nil {
			return nil, fmt.Errorf("decoding the input of %s: %w", name, err)
		}
		if cursor := callOf(ctx).cursor; cursor != "" {
			setMember(in, "NextToken", cursor) // as JSON it would lose its bytes
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err // not out: a nil *Out in an interface is not nil
		}
		return out, nil
	}
}

func (s *Server) byName(name string) *operation {
	for _, op := range s.operations {
		if op.Operation == name {
			return op
		}
	}
	panic("api: no operation " + name)
}

// replay returns the answer that the call's client token remembers, or nil.
func replay[Out any](ctx context.Context, tx ingot.TokenStore, now time.Time) (*Out, error) {
	c := callOf(ctx)
	if !c.replays {
		return nil, nil
	}
	done, err := tx.FindToken(ctx, c.tokenKey(), now)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the client token: %w", err)
	}
	if done.Digest != c.digest {
		return nil, ingot.Errorf(ingot.CodeMismatch, "The client token '%s' was used before with other parameters. Use a new token.", c.token)
	}
	out := new(Out)
	if err := json.Unmarshal(done.Response, out); err != nil {
		return nil, fmt.Errorf("decoding the remembered answer: %w", err)
	}
	return out, nil
}

func remember(ctx context.Context, tx ingot.TokenStore, out any, now time.Time) error {
	c := callOf(ctx)
	if !c.replays {
		return nil
	}
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encoding the answer to remember: %w", err)
	}
	done := ingot.TokenResponse{Digest: c.digest, Response: body, Expires: now.Add(tokenLife)}
	if err := tx.SaveToken(ctx, c.tokenKey(), done, now); err != nil {
		return fmt.Errorf("saving the client token: %w", err)
	}
	return nil
}

func (c *call) tokenKey() ingot.TokenKey {
	return ingot.TokenKey{Scope: c.Scope, Operation: c.operation, Token: c.token}
}

// encode completes an answer and makes it JSON.
func (s *Server) encode(c *call, out any) ([]byte, error) {
	setMember(out, "RequestId", c.RequestID)
	if next := reflect.ValueOf(out).Elem().FieldByName("NextToken"); next.IsValid() && next.String() != "" {
		next.SetString(s.pages.seal(c, next.String()))
	}
	if c.isList() {
		fillLists(out)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return body, nil
}

// setMember sets a string member of an input or output that has it.
func setMember(v any, field, value string) {
	if f := reflect.ValueOf(v).Elem().FieldByName(field); f.IsValid() {
		f.SetString(value)
	}
}

// fillLists makes the result of a List operation present even when empty.
// Source: api.md §1.3.
func fillLists(out any) {
	v := reflect.ValueOf(out).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.Slice && f.IsNil():
			f.Set(reflect.MakeSlice(f.Type(), 0, 0))
		case f.Kind() == reflect.Map && f.IsNil():
			f.Set(reflect.MakeMap(f.Type()))
		}
	}
}

// remarshal turns a tree of JSON values into a typed one.
func remarshal(tree, into any) error {
	data, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
