package guest

import (
	"net/http"

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
