// Package ingot is the vocabulary of an image factory that speaks the EC2
// Image Builder API: resource names (ARN, Version), the error type, and one
// file per resource with its rules and status transitions.
//
// The wire types of package model are the documents of the domain; there is no
// second set of structs. This package holds what is true of them everywhere,
// and the contracts that storage implements. It imports the standard library
// and model, nothing else.
//
//	request    api             signature, limits of the model, one handler per operation
//	resource   ingot           component, recipe, configuration, pipeline, image: a stored document
//	execution  build           one image as one durable function
//	step       workflow        what a build does, one step at a time
//	instance   compute         launch, talk, stop
//	document   toe             the component executor inside the instance
//	artifact   disk, region    a snapshot is a map of blocks; a region is where images live
package ingot
