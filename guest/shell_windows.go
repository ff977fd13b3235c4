package guest

import "net/http"

// shell refuses: the terminals of Windows are not built in.
func shell(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "a shell in a guest of Windows is not built yet; run commands instead", http.StatusNotImplemented)
}
