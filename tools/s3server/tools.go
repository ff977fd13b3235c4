//go:build tools

// Package s3server pins the S3 server that tests talk to, apart from what the
// product is made of and from the linters.
package s3server

import _ "github.com/versity/versitygw/cmd/versitygw"
