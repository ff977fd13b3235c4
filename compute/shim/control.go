package shim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
)

// pressAfter is how long the agent gets to begin a power-off before the shim
// presses the button itself.
const pressAfter = 2 * time.Second

// handler is the shim's socket: /shim/ is the control, the rest goes to the guest.
func (h *holder) handler(l *link) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shim/state", func(w http.ResponseWriter, r *http.Request) {
		s, _ := h.look()
		writeState(w, s)
	})
	mux.HandleFunc("GET /shim/wait", h.wait)
	mux.HandleFunc("POST /shim/kill", func(w http.ResponseWriter, r *http.Request) { h.kill() })
	mux.HandleFunc("POST /shim/stop", func(w http.ResponseWriter, r *http.Request) {
		grace, err := time.ParseDuration(r.FormValue("grace"))
		if err != nil {
			http.Error(w, fmt.Sprintf("grace: %v", err), http.StatusBadRequest)
			return
		}
		h.stop(l, grace)
	})
	mux.Handle("/v1/", l)
	return mux
}

// wait answers once the phase is another than the caller's. The end of the
// shim breaks the stream: the state is on disk then.
func (h *holder) wait(w http.ResponseWriter, r *http.Request) {
	for {
		s, changed := h.look()
		if s.Phase == compute.PhaseOff || s.Phase == compute.PhaseCrashed {
			writeState(w, s)
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// stop begins a power-off and returns. After grace the guest is killed. It may
// be asked again: the shortest grace wins.
func (h *holder) stop(l *link, grace time.Duration) {
	h.mu.Lock()
	first := !h.stopping
	h.stopping = true
	h.mu.Unlock()
	time.AfterFunc(grace, h.kill)
	if first {
		go h.powerOff(l, grace)
	}
}

func (h *holder) powerOff(l *link, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), min(grace, pressAfter))
	defer cancel()
	agentErr := guest.NewClient(l.transport(), nil).Power(ctx, guest.PowerOff)
	if agentErr == nil {
		return
	}
	if err := l.guest.PowerOff(); err != nil {
		h.log.Warn("powering off", "agent", agentErr, "error", err)
	}
}

func writeState(w http.ResponseWriter, s compute.State) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s) // a caller that is gone needs no answer
}
