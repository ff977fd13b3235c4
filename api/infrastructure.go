package api

func (s *Server) registerInfrastructure() {}
