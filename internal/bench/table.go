package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table collects the rows; a row whose bar is missed says so.
type table struct{ rows [][]string }

func (t *table) add(name, value, peer, ratio, bar string, met bool) {
	verdict := "met"
	if !met {
		verdict = "MISSED"
	}
	t.rows = append(t.rows, []string{name, value, peer, ratio, bar, verdict})
}

// seconds adds a time that may be at most limit.
func (t *table) seconds(name string, value, limit time.Duration) {
	t.add(name, sec(value), "", "", "<= "+sec(limit), value <= limit)
}

// ratio adds a time that may be at most limit times its peer's.
func (t *table) ratio(name string, value time.Duration, peerName string, peer time.Duration, limit float64) {
	r := value.Seconds() / peer.Seconds()
	t.add(name, sec(value), fmt.Sprintf("%s %s", peerName, sec(peer)), fmt.Sprintf("%.3f", r), fmt.Sprintf("<= %.2f x", limit), r <= limit)
}

// compare adds a ratio without a bar.
func (t *table) compare(name string, value time.Duration, peerName string, peer time.Duration) {
	t.rows = append(t.rows, []string{name, sec(value), peerName + " " + sec(peer), fmt.Sprintf("%.3f", value.Seconds()/peer.Seconds()), "", ""})
}

func sec(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ROW\tHERE\tPEER\tRATIO\tBAR\t")
	for _, r := range t.rows {
		for _, cell := range r {
			fmt.Fprintf(w, "%s\t", cell)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
