package guest

import "net/http"

// sanitizeGuest refuses: what Sysprep is to do is decided with the images of
// Windows, which are not built yet.
func sanitizeGuest(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the clean-up of a guest of Windows is not built yet", http.StatusNotImplemented)
}
