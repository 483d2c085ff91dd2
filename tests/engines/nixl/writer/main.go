// Command writer leaves one file of NIXL telemetry for NIXL's own readers to look at, and keeps its agent alive until standard input
// ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

func main() {
	layout := nixl.V4
	dir := flag.String("dir", "", "directory of the file")
	store := flag.Bool("store", false, "write a prometheus_mp store instead of a ring")
	flag.TextVar(&layout, "layout", layout, "layout of the ring, v1 to v5-fork")
	flag.Parse()
	if err := run(*dir, *store, layout); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
}

func run(dir string, store bool, layout nixl.Layout) error {
	agent, err := create(dir, store, layout)
	if err != nil {
		return err
	}
	agent.Register(64 << 20)
	agent.Transfer(nixl.Transfer{Write: true, Bytes: 1 << 20, Duration: 250 * time.Microsecond, Post: 12 * time.Microsecond})
	agent.Transfer(nixl.Transfer{Bytes: 4096, Duration: 11 * time.Second, Post: 10 * time.Microsecond})
	agent.Error(nixl.NotFound)
	agent.Deregister(64 << 20)
	agent.Flush(time.Now().Add(time.Second))
	fmt.Println(agent.Path())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return agent.Close()
}

func create(dir string, store bool, layout nixl.Layout) (nixl.Telemetry, error) {
	if store {
		return nixl.CreateStore(nixl.StoreOptions{
			Dir: dir, Agent: "ours", Host: "simulated", LocalRank: "1", PID: int64(os.Getpid()), RunMarker: uint64(time.Now().UnixNano()),
		})
	}
	return nixl.Create(nixl.Options{Dir: dir, Agent: "ours", Layout: layout, Capacity: 16, Pad: nixl.Garbage(1)})
}
