package rig

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Below the ports that systems give to connections on their way out (Linux: 32768 and above): one of those may be taken by any scrape
// before the program that it is for listens on it.
const lowestPort, ports = 20_000, 12_000

// FreePort is a port that nobody listens on, on any loopback address.
func FreePort(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := lowestPort + rand.IntN(ports)
		if l, err := net.Listen("tcp", Local(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	require.FailNow(tb, "no port is free")
	return 0
}

// Local is host:port of a loopback port.
func Local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Get fetches a page; an error is an answer that is not yet there.
func Get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<26))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}

// Eventually waits for a condition, and tells what was waited for when it does not come.
func Eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	require.Eventually(tb, condition, Patience, 50*time.Millisecond, what)
}
