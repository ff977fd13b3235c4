package api

func (s *Server) registerComponents() {}
