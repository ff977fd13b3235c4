package api

func (s *Server) registerDistributions() {}
