package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// monitor is QEMU's control channel, the QEMU Machine Protocol: lines of JSON.
// A guest that broke out of QEMU's emulation could write anything on it.
type monitor struct {
	conn   net.Conn
	lines  *bufio.Scanner
	events func(event)
	ended  chan struct{} // closed when nothing more will be read

	mu      sync.Mutex
	next    int64                  // id of the next command
	waiting map[int64]chan message // by id of the command
}

// event is something QEMU tells unasked.
type event struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// message is any line of QEMU: a greeting, an answer or an event.
type message struct {
	Greeting json.RawMessage `json:"QMP"`
	ID       int64           `json:"id"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	event
}

// maxMessage bounds a line; the greeting and the answers to our commands have
// a few hundred bytes.
const maxMessage = 256 << 10

// maxIgnored bounds lines in a row that mean nothing to us.
const maxIgnored = 10000

func parseMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return m, fmt.Errorf("reading a message of QEMU: %w", err)
	}
	return m, nil
}

// openMonitor greets QEMU. events is called from one goroutine, for every
// event in order, until the connection ends. conn is the monitor's, also when
// an error is returned.
func openMonitor(ctx context.Context, conn net.Conn, events func(event)) (*monitor, error) {
	m := &monitor{
		conn: conn, lines: bufio.NewScanner(conn), events: events,
		ended: make(chan struct{}), next: 1, waiting: map[int64]chan message{},
	}
	m.lines.Buffer(nil, maxMessage)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := m.readGreeting(); err != nil {
		close(m.ended)
		return nil, errors.Join(context.Cause(ctx), err, conn.Close())
	}
	go m.read()
	if err := m.execute(ctx, "qmp_capabilities"); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *monitor) readGreeting() error {
	if !m.lines.Scan() {
		return fmt.Errorf("waiting for QEMU's greeting: %w", orEOF(m.lines.Err()))
	}
	greeting, err := parseMessage(m.lines.Bytes())
	if err == nil && greeting.Greeting == nil {
		err = errors.New("QEMU's first line is not a greeting")
	}
	return err
}

// read hands out answers and events until the connection ends or carries garbage.
func (m *monitor) read() {
	defer close(m.ended)
	for ignored := 0; m.lines.Scan() && ignored < maxIgnored; {
		msg, err := parseMessage(m.lines.Bytes())
		switch {
		case err != nil:
			return
		case msg.Name != "":
			m.events(msg.event)
			ignored = 0
		case m.answer(msg):
			ignored = 0
		default:
			ignored++
		}
	}
}

// answer passes a message to the command it answers.
func (m *monitor) answer(msg message) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.waiting[msg.ID]
	if ok {
		delete(m.waiting, msg.ID)
		c <- msg // buffered
	}
	return ok
}

// execute runs a command without arguments and waits for its answer.
func (m *monitor) execute(ctx context.Context, command string) error {
	if err := m.send(ctx, command); err != nil {
		return fmt.Errorf("telling QEMU %s: %w", command, err)
	}
	return nil
}

func (m *monitor) send(ctx context.Context, command string) error {
	answer := make(chan message, 1)
	m.mu.Lock()
	id := m.next
	m.next++
	m.waiting[id] = answer
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.waiting, id)
		m.mu.Unlock()
	}()
	text, err := json.Marshal(map[string]any{"execute": command, "id": id})
	if err != nil {
		return err
	}
	if _, err := m.conn.Write(append(text, '\n')); err != nil {
		return err
	}
	select {
	case msg := <-answer:
		if msg.Error != nil {
			return fmt.Errorf("%s: %s", msg.Error.Class, msg.Error.Desc)
		}
		return nil
	case <-m.ended:
		return io.ErrUnexpectedEOF
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends the connection and waits for the last event.
func (m *monitor) close() error {
	err := m.conn.Close()
	<-m.ended
	return err
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
