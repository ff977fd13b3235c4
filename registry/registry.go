// Package registry is where container images are: those of this server's
// repositories, and those that registries elsewhere have.
package registry
