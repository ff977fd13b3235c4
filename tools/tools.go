//go:build tools

// Package tools pins the linters, apart from what the product is made of.
package tools

import (
	_ "honnef.co/go/tools/cmd/staticcheck"
	_ "mvdan.cc/gofumpt"
)
