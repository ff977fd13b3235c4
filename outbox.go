package ingot

import (
	"context"
	"encoding/json"
	"time"
)

// Channel is the way a message goes; where it leads is the server's
// configuration, when the message is sent.
type Channel string

const (
	ChannelEvents   Channel = "events"   // the event bus; Name is the EventType
	ChannelTopic    Channel = "topic"    // Name is a topic's ARN
	ChannelFunction Channel = "function" // Name is a function's name or ARN
)

// Message is what somebody is to be told. It is written in the transaction of
// the change that it tells of, complete: what it tells of may be gone when it
// is sent. Messages about one resource are delivered in the order of their writing.
type Message struct {
	ID      string // UUID
	Channel Channel
	Name    string
	About   string // ARN
	Subject string // a line for people
	Time    time.Time
	Body    json.RawMessage
}

// MessageWriter puts messages into the outbox.
type MessageWriter interface {
	PutMessage(ctx context.Context, m Message) error
}

// Delivery is a message on its way to one endpoint. One that is dead is not
// tried any more, unless somebody asks for it.
type Delivery struct {
	ID       int64 // grows in the order of writing
	Endpoint string
	Attempts int       // that failed
	Due      time.Time // of the next attempt; zero behind an earlier one to the endpoint about the resource, or dead
	Died     time.Time // zero: alive
	Problem  string    // of the last attempt
	Message
}

// Outcome is how an attempt went: delivered, to be tried again at Retry, or dead.
type Outcome struct {
	ID        int64 // of the delivery
	Delivered bool
	Retry     time.Time // zero with Delivered false: dead
	Problem   string
	Time      time.Time // of the attempt's end
}

// Outbox holds messages until all have got them. Nothing that it does for a
// delivery costs more when more are stored.
type Outbox interface {
	// Written receives after a message was committed.
	Written() <-chan struct{}
	// RouteMessages gives up to limit new messages, in order, the endpoints that
	// route names, and returns how many it took.
	RouteMessages(ctx context.Context, limit int, now time.Time, route func(Message) []string) (int, error)
	// DueDeliveries returns up to limit deliveries to an endpoint, by the time
	// that they are due, the future included. At most one is about each resource.
	DueDeliveries(ctx context.Context, endpoint string, limit int) ([]Delivery, error)
	// SettleDeliveries records outcomes, in one transaction. The next delivery to
	// the endpoint about the resource is due when one is delivered or dead. A
	// delivery that is gone is passed over.
	SettleDeliveries(ctx context.Context, outcomes []Outcome) error
	// Endpoints are those that have deliveries which are not dead.
	Endpoints(ctx context.Context) ([]string, error)
	// Messages and Deliveries are pages before an id, newest first; 0 begins.
	// Deliveries are those that wait, or the dead ones.
	Messages(ctx context.Context, before int64, limit int) ([]StoredMessage, error)
	Deliveries(ctx context.Context, dead bool, before int64, limit int) ([]Delivery, error)
	// Backlog counts the deliveries.
	Backlog(ctx context.Context) (Backlog, error)
	// RetryDelivery makes a dead delivery due, CodeNotFound if there is none.
	RetryDelivery(ctx context.Context, id int64, now time.Time) error
	// DropMessages removes up to limit messages that all endpoints got before
	// delivered, and dead deliveries that died before died.
	DropMessages(ctx context.Context, delivered, died time.Time, limit int) (int, error)
}

// Backlog is how many deliveries an outbox has.
type Backlog struct {
	Waiting int // alive
	Dead    int
}

// StoredMessage is a message in the outbox.
type StoredMessage struct {
	Message
	Row  int64 // grows in the order of writing
	Open int   // endpoints that have not got it; -1: not routed yet
}
