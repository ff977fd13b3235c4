package admin

import (
	"encoding/json"
	"time"
)

// Event is a message of the outbox: an event, or a notice to a topic or a function.
type Event struct {
	Row     int64           `json:"row"` // grows in the order of writing
	ID      string          `json:"id"`
	Channel string          `json:"channel"` // events, topic or function
	Name    string          `json:"name"`    // type of the event, topic or function
	About   string          `json:"about"`
	Subject string          `json:"subject"`
	Time    time.Time       `json:"time"`
	Open    int             `json:"open"` // endpoints that have not got it; -1: it is new
	Body    json.RawMessage `json:"body"`
}

// Delivery is a message on its way to an endpoint, or dead.
type Delivery struct {
	ID       int64     `json:"id"`
	Endpoint string    `json:"endpoint"`
	Attempts int       `json:"attempts"` // that failed
	Due      time.Time `json:"due,omitzero"`
	Died     time.Time `json:"died,omitzero"`
	Problem  string    `json:"problem,omitempty"`
	Event
}

// Operations on the outbox: "event/list", "event/deliveries", "event/retry".
type (
	// EventPage asks for entries before a row or an id, newest first; 0 begins.
	EventPage struct {
		Dead   bool  `json:"dead"` // of deliveries: the dead ones instead of those that wait
		Before int64 `json:"before"`
		Limit  int   `json:"limit"` // at most MaxEvents
	}
	// DeliveryID asks for one delivery.
	DeliveryID struct {
		ID int64 `json:"id"`
	}
)

// MaxEvents is the most that one page has.
const MaxEvents = 100
