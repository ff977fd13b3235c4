package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Record is one stored resource: what the store must understand of it, and the
// document, which it does not look into. The store indexes Name, Status, the
// version of the ARN and Attributes under the filter names of the API.
type Record struct {
	ARN        ARN    // exact: with a build if the kind has builds
	Name       string // as submitted; the ARN holds the normal form
	Status     string // empty for kinds without a status
	Created    time.Time
	Updated    time.Time
	Attributes map[string][]string // other filters of the API and the values that match them; never nil when read
	Document   json.RawMessage     // the model type of Get, without its tags
	Tags       map[string]string   // never nil when read
	Policy     string              // resource policy, as its owner wrote it; empty: none
	Shares     map[Share][]string  // other accounts that the policy names; never nil when read
	References []string            // ARNs the resource names, as it names them: they block deletes
}

// Decode reads the document of a record into its model type.
func Decode[T any](r Record) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(r.Document, v); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", r.ARN, err)
	}
	return v, nil
}

// Collapse says what one entry of a list stands for. A version is represented
// by its newest build, a name by the newest build of its highest version;
// filters look at the representative.
type Collapse int

// The levels of Collapse. Kinds without builds know only Builds.
const (
	Builds Collapse = iota
	Versions
	Names
)

// Names of the filters that the store derives from a record itself.
const (
	FilterName    = "name"    // the display name or the normalised name
	FilterStatus  = "status"  //
	FilterVersion = "version" // 1, 1.2, 1.x.x, 1.2.3 or 1.2.3/4
	FilterSource  = "sourcePipelineArn"
	FilterTag     = "tag" // of builds of images in their own account: a TagTerm
)

// TagTerm is a tag as a value of FilterTag. What matches has a tag that is
// written so, which may be another one if there is a = in the key.
func TagTerm(key, value string) string { return key + "=" + value }

// Filter matches records that have any of the values. Source: api.md §3.14.
type Filter struct {
	Name   string
	Values []string
}

// Query selects records of one kind in one scope. The order is by normalised
// name, then version descending, then build descending; with Newest it is by
// creation, newest first, and one of the filters must be FilterSource.
//
// With Shared the records are those of other accounts that the scope's account
// may get, or list. The order is by name, owner, version and build; a version
// and a name stand for the newest build among them.
type Query struct {
	Scope    Scope
	Shared   Share // empty: the scope's own
	Kind     Kind
	Under    ARN // when set: only this version or pattern of one name
	Filters  []Filter
	Collapse Collapse
	Newest   bool
	After    string // Next of the page before
	Limit    int
}

// Page is one page of a list. Next is empty on the last page.
type Page struct {
	Records []Record
	Next    string
}

// RecordReader reads resources. Missing ones are CodeNotFound with the ARN.
type RecordReader interface {
	// Get returns the record of an exact ARN.
	Get(ctx context.Context, arn ARN) (Record, error)
	// Resolve returns the highest build that an exact, version or wildcard ARN
	// names, among those in one of the statuses; none given means any.
	Resolve(ctx context.Context, arn ARN, statuses ...string) (Record, error)
	// List returns one page. Its cost does not depend on how much is stored.
	List(ctx context.Context, q Query) (Page, error)
	// Count counts what q selects, up to its limit.
	Count(ctx context.Context, q Query) (int, error)
	// Referrers returns up to limit ARNs of records that name one of the targets,
	// versions compared by number. Those of other accounts do not count, except
	// for managed targets.
	Referrers(ctx context.Context, limit int, targets ...ARN) ([]ARN, error)
}

// RecordWriter changes resources. It exists inside of a transaction only.
type RecordWriter interface {
	// NextBuild counts the builds of a version; the count survives deletion.
	NextBuild(ctx context.Context, version ARN) (int, error)
	// Create stores a new record: CodeExists if the name (and version, and
	// build) is taken.
	Create(ctx context.Context, r Record) error
	// Update applies change to the record if its status is one of from (empty:
	// any), else it is CodeInUse. ARN, Name and Created do not change.
	Update(ctx context.Context, arn ARN, from []string, change func(*Record) error) (Record, error)
	// SetTags replaces the tags and touches no other member.
	SetTags(ctx context.Context, arn ARN, tags map[string]string) error
	// Delete removes a record and what belongs to it. The rules of what may be
	// deleted are the caller's: CheckDelete.
	Delete(ctx context.Context, arn ARN) error
}

// TokenKey is the scope of a client token. Source: api.md §1.8.
type TokenKey struct {
	Scope
	Operation string
	Token     string
}

// TokenResponse is what a client token remembers.
type TokenResponse struct {
	Digest   string          // of the request without its token
	Response json.RawMessage // the body of the success
	Expires  time.Time
}

// TokenStore remembers answers by client token.
type TokenStore interface {
	// FindToken is CodeNotFound for a token that is unknown or expired at now.
	FindToken(ctx context.Context, key TokenKey, now time.Time) (TokenResponse, error)
	// SaveToken stores an answer, and drops expired ones.
	SaveToken(ctx context.Context, key TokenKey, r TokenResponse, now time.Time) error
}

// Reader sees the last committed state; inside a transaction, its own writes.
type Reader interface {
	RecordReader
	ExecutionReader
	LifecycleReader
	LifecycleQueue
	ScheduleReader
	DependencyReader
	AccountReader
	IdentityReader
}

// Tx is one transaction: all of it happens, or none.
type Tx interface {
	Reader
	RecordWriter
	ExecutionWriter
	LifecycleWriter
	ScheduleWriter
	DependencyWriter
	MessageWriter
	IdentityWriter
	TokenStore
	FindAMI(ctx context.Context, scope Scope, id string) (AMI, error)
	// Quotas are those of every account.
	Quotas() Quotas
}

// Store keeps the resources of all accounts and regions.
type Store interface {
	Reader
	AMIStore
	ParameterStore
	Outbox
	// Write runs f in a transaction and commits it unless f fails, in which case
	// it returns f's error. There is one writer at a time, so f must not wait for
	// anything but the store.
	Write(ctx context.Context, f func(Tx) error) error
	// Secret returns random bytes that are made once and kept: keys for page tokens.
	Secret(ctx context.Context, name string) ([]byte, error)
	// IdentityVersion changes whenever what an IdentityReader reads has changed.
	// What was read after a version was taken is good as long as it stays.
	IdentityVersion() int64
}
