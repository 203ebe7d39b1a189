// A real user of bbolt for the tests: `bolt-client FILE rw|ro` opens FILE, prints "open", and keeps
// it open until its input ends; where it is locked for a tenth of a second, it prints why and fails.
package main

import (
	"fmt"
	"io"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

func main() {
	if os.Args[1] == "--version" {
		return
	}
	options := bolt.Options{ReadOnly: os.Args[2] == "ro", Timeout: 100 * time.Millisecond}
	db, err := bolt.Open(os.Args[1], 0o600, &options)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer db.Close()
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
}
