package api_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPagesUnderChange lists components page by page while others come and go:
// what is there throughout is listed once, in order, and what is not, once at
// the most. Source: api.md §1.7.
func TestPagesUnderChange(t *testing.T) {
	s := start(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		name := func(n int) string { return fmt.Sprintf("r%d-c%02d", round, n) }
		there := map[int]bool{} // now
		create := func(n int) {
			s.createComponent(name(n), "1.0.0", docBuild)
			there[n] = true
		}
		remove := func(n int) {
			s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+url.QueryEscape(s.getComponent(own + "component/" + name(n) + "/x.x.x")["arn"].(string)), nil)
			delete(there, n)
		}
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 19), 5, 15, rapid.ID).Draw(rt, "first") {
			create(n)
		}
		throughout := map[string]bool{}
		for n := range there {
			throughout[name(n)] = true
		}
		var listed []string
		in := obj{"maxResults": rapid.IntRange(1, 4).Draw(rt, "page"), "filters": []obj{filter("platform", "Linux")}}
		for {
			page := s.must("POST", "/ListComponents", in)
			list := page["componentVersionList"].([]any)
			for _, entry := range list {
				listed = append(listed, dig(entry, "name").(string))
			}
			if page["nextToken"] == nil {
				break
			}
			if len(list) == 0 {
				rt.Fatal("an empty page that is not the last")
			}
			in["nextToken"] = page["nextToken"]
			if n := rapid.IntRange(0, 19).Draw(rt, "change"); there[n] {
				remove(n)
				delete(throughout, name(n))
			} else {
				create(n)
			}
		}
		for n := range there {
			remove(n)
		}
		if !slices.IsSorted(listed) || len(slices.Compact(slices.Clone(listed))) != len(listed) {
			rt.Errorf("listed out of order or twice: %v", listed)
		}
		for name := range throughout {
			if !slices.Contains(listed, name) {
				rt.Errorf("%s was there throughout and is not listed: %v", name, listed)
			}
		}
	})
}

// TestForgedTokens changes every byte of a token, one at a time.
func TestForgedTokens(t *testing.T) {
	s := start(t)
	for n := range 3 {
		s.createComponent(fmt.Sprint("tool-", n), "1.0.0", docBuild)
	}
	token, _ := s.must("POST", "/ListComponents", obj{"maxResults": 1})["nextToken"].(string)
	data, err := base64.RawURLEncoding.DecodeString(token)
	must(t, err)
	for n := range data {
		forged := slices.Clone(data)
		forged[n] ^= 1
		s.refused(400, "InvalidPaginationTokenException", "POST", "/ListComponents", obj{"maxResults": 1, "nextToken": base64.RawURLEncoding.EncodeToString(forged)})
	}
	s.refused(400, "InvalidPaginationTokenException", "POST", "/ListComponents", obj{"maxResults": 1, "nextToken": token[:len(token)/2]})
	s.must("POST", "/ListComponents", obj{"maxResults": 1, "nextToken": token})
}
