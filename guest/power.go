package guest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

func setClock(w http.ResponseWriter, r *http.Request) {
	var c clock
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&c); err != nil {
		refuse(w, fmt.Errorf("reading the time: %w", err))
		return
	}
	if err := stirRandom(c.Seed); err != nil {
		refuse(w, fmt.Errorf("seeding the random pool: %w", err))
		return
	}
	if err := setTime(time.Unix(0, c.UnixNano)); err != nil {
		refuse(w, fmt.Errorf("setting the clock: %w", err))
	}
}
