package sqlite

import (
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite keeps what a savepoint may have to bring back, the former content of
// each changed page, in a temporary file once it is more than 64 KiB, which it
// is for most records that are created. Here it stays in memory: transactions
// change a few hundred pages at most. The setting is the process's, and must be
// made before its first connection.
func init() {
	tls := libc.NewTLS()
	defer tls.Close()
	never := libc.NewVaList(int32(-1))
	defer libc.Xfree(tls, never)
	if code := sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_STMTJRNL_SPILL, never); code != sqlite3.SQLITE_OK {
		panic(fmt.Sprintf("sqlite: keeping savepoints in memory: result code %d", code))
	}
}
