package guest

import (
	"net/http"
	"time"

	"ingot.dev/ingot/guest/sanitize"
)

// sanitizeGuest cleans up and streams what was done; the last event's Exit is 1
// when something could not be.
func sanitizeGuest(w http.ResponseWriter, r *http.Request) {
	out := eventWriter{w: w}
	opts := sanitize.Options{Root: "/", WorkingDirectory: r.FormValue("workingDirectory")}
	err := sanitize.Run(r.Context(), opts, func(line string) {
		for _, l := range splitLine(line) {
			out.write(Event{Stream: "stdout", Line: l})
		}
	})
	exit := 0
	if err != nil {
		exit = 1
	}
	out.write(Event{Exit: &exit})
}

// eventWriter numbers events that are streamed without being kept.
type eventWriter struct {
	w   http.ResponseWriter
	seq int64
}

func (o *eventWriter) write(e Event) {
	o.seq++
	e.Seq, e.Time = o.seq, time.Now().UnixMilli()
	answer(o.w, e)
	http.NewResponseController(o.w).Flush() // an error shows at the next write
}
