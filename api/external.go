package api

import "ingot.dev/ingot"

// Exists says whether there is what a request names outside this server.
type Exists func(kind ingot.External, name string) bool

// checkExternal refuses a name that does not exist where the operator says so.
func (s *Server) checkExternal(kind ingot.External, name string) error {
	if s.Exists != nil && !s.Exists(kind, name) {
		return kind.Missing(name)
	}
	return nil
}
