package api

func (s *Server) registerRecipes() {}
