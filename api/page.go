package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"ingot.dev/ingot"
)

// A page token is the time of issue in seconds (8 bytes, big endian), a MAC
// (32 bytes) and the store's cursor, in URL-safe base64. The MAC covers what
// the token is bound to: operation, account, region and the request's other
// members. Source: api.md §1.7.
const (
	stampSize   = 8
	tokenAge    = 24 * time.Hour
	defaultPage = 25
)

type pageSealer struct {
	key []byte
	now func() time.Time
}

func (p pageSealer) seal(c *call, cursor string) string {
	stamp := binary.BigEndian.AppendUint64(nil, uint64(p.now().Unix()))
	token := append(stamp, p.mac(c, stamp, cursor)...)
	return base64.RawURLEncoding.EncodeToString(append(token, cursor...))
}

func (p pageSealer) open(c *call, token string) (cursor string, err error) {
	unusable := ingot.Errorf(ingot.CodePagination, "The pagination token is not valid for this request. Start again without nextToken.")
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(data) < stampSize+sha256.Size {
		return "", unusable
	}
	stamp, sum, rest := data[:stampSize], data[stampSize:stampSize+sha256.Size], string(data[stampSize+sha256.Size:])
	if !hmac.Equal(sum, p.mac(c, stamp, rest)) {
		return "", unusable
	}
	issued := time.Unix(int64(binary.BigEndian.Uint64(stamp)), 0)
	if p.now().Sub(issued) > tokenAge {
		return "", ingot.Errorf(ingot.CodePagination, "The pagination token is older than %d hours. Start again without nextToken.", int(tokenAge.Hours()))
	}
	return rest, nil
}

func (p pageSealer) mac(c *call, stamp []byte, cursor string) []byte {
	h := hmac.New(sha256.New, p.key)
	h.Write(stamp)
	h.Write([]byte(strings.Join([]string{c.operation, c.Account, c.Region, c.digest, cursor}, "\x00")))
	return h.Sum(nil)
}

// prepare takes out of the input what is the generic path's business.
func (s *Server) prepare(c *call, in map[string]any) error {
	parameters := maps.Clone(in)
	for _, name := range []string{"clientToken", "maxResults", "nextToken"} {
		delete(parameters, name)
	}
	data, err := json.Marshal(parameters) // keys are sorted
	if err != nil {
		return fmt.Errorf("encoding the parameters: %w", err)
	}
	sum := sha256.Sum256(data)
	c.digest = hex.EncodeToString(sum[:])
	c.dryRun = in["dryRun"] == true
	if c.token, c.replays = in["clientToken"].(string); !c.replays {
		c.token = uuid.NewString()
	}
	if token, ok := in["nextToken"].(string); ok {
		if c.cursor, err = s.pages.open(c, token); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) isList() bool { return strings.HasPrefix(c.operation, "List") }

// pageSize is the number of entries of a page. Source: api.md §1.7.
func pageSize(maxResults *int) int {
	if maxResults == nil {
		return defaultPage
	}
	return *maxResults
}
