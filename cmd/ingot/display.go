package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"ingot.dev/ingot/build"
)

// display shows a build's log as it comes. On a terminal one line moves: the
// step, its time and the last line of output; finished steps and warnings stay.
// Elsewhere every line is printed.
type display struct {
	w     io.Writer
	width int  // columns; 0 when w is no terminal
	color bool // off under NO_COLOR

	mu      sync.Mutex
	running map[string]time.Time // steps and when they began; tests run side by side
	step    string               // the one that spoke last
	last    string               // what it said
	stop    chan struct{}
	ended   sync.WaitGroup
}

// refresh is how often the elapsed time moves.
const refresh = 100 * time.Millisecond

func newDisplay(w io.Writer) *display {
	d := &display{w: w, running: make(map[string]time.Time), stop: make(chan struct{})}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			d.width = width
		}
	}
	d.color = d.width > 0 && os.Getenv("NO_COLOR") == ""
	if d.width > 0 {
		d.ended.Go(d.tick)
	}
	return d
}

func (d *display) tick() {
	t := time.NewTicker(refresh)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			d.mu.Lock()
			d.draw()
			d.mu.Unlock()
		case <-d.stop:
			return
		}
	}
}

// close ends the moving line.
func (d *display) close() {
	close(d.stop)
	d.ended.Wait()
	if d.width > 0 {
		d.erase()
	}
}

func (d *display) show(l build.Line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.width == 0 {
		fmt.Fprintln(d.w, formatLine(l))
		return
	}
	if l.Level == "Warn" || l.Level == "Error" {
		d.erase()
		fmt.Fprintln(d.w, d.paint(red, formatLine(l)))
	}
	d.last = printable(l.Text)
	if l.Step != "" {
		d.advance(l.Step)
	}
	d.draw()
}

// advance makes step the one that is shown, or ends it when its last line says
// how it ended: "RunSanitizeScript: COMPLETED".
func (d *display) advance(step string) {
	if _, ok := d.running[step]; !ok {
		d.running[step] = time.Now()
	}
	d.step = step
	status, ended := strings.CutPrefix(d.last, step+": ")
	if !ended {
		return
	}
	color := green
	if strings.HasPrefix(status, "FAILED") {
		color = red
	}
	d.erase()
	word, _, _ := strings.Cut(status, " ")
	fmt.Fprintf(d.w, "%-10s %6.1f s  %s\n", d.paint(color, word), time.Since(d.running[step]).Seconds(), step)
	delete(d.running, step)
	d.step = ""
}

func (d *display) draw() {
	d.erase()
	if d.step == "" {
		return
	}
	head := fmt.Sprintf("           %6.1f s  %s  ", time.Since(d.running[d.step]).Seconds(), d.step)
	io.WriteString(d.w, head+cut(d.last, d.width-utf8.RuneCountInString(head)-1))
}

// Colours of a terminal.
const (
	red   = 31
	green = 32
)

func (d *display) erase() { io.WriteString(d.w, "\r\x1b[K") }

func (d *display) paint(code int, s string) string {
	if !d.color {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, s)
}

// formatLine is a line of a build's log for people.
func formatLine(l build.Line) string {
	var place []string
	for _, p := range []string{l.Step, l.Component, l.Phase, l.DocumentStep} {
		if p != "" {
			place = append(place, p)
		}
	}
	level := ""
	if l.Level == "Warn" || l.Level == "Error" {
		level = strings.ToUpper(l.Level) + " "
	}
	return fmt.Sprintf("%s %s: %s%s", l.Time.Format("15:04:05.000"), strings.Join(place, " "), level, printable(l.Text))
}

// printable keeps what a guest printed from driving the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

func cut(s string, n int) string {
	if n <= 0 {
		return ""
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
