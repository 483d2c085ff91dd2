package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is the longest path of a Unix socket in bytes (sun_path of Linux, less its final zero).
const maxSocketPath = 107

// bind listens on a ZeroMQ endpoint, tcp://host:port or ipc://path; key names the option in errors. It returns the endpoint to
// connect to, with the port the system chose for port 0.
func bind(key, endpoint string) (net.Listener, string, error) {
	scheme, address, ok := strings.Cut(endpoint, "://")
	switch {
	case ok && scheme == "tcp":
		return bindTCP(key, endpoint, address)
	case ok && scheme == "ipc":
		return bindUnix(key, endpoint, address)
	}
	return nil, "", fmt.Errorf("%s: must start with tcp:// or ipc://, got %q", key, endpoint)
}

func bindTCP(key, endpoint, address string) (net.Listener, string, error) {
	host, port, err := splitPort(key, endpoint, address)
	if err != nil {
		return nil, "", err
	}
	if host == "*" {
		host = "0.0.0.0"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, "", bindError(key, endpoint, err)
	}
	reachable := ln.Addr().(*net.TCPAddr)
	if reachable.IP.IsUnspecified() {
		reachable.IP = net.IPv4(127, 0, 0, 1)
	}
	return ln, "tcp://" + reachable.String(), nil
}

func bindUnix(key, endpoint, path string) (net.Listener, string, error) {
	if path == "" || len(path) > maxSocketPath {
		return nil, "", fmt.Errorf("%s: path must have 1 to %d bytes, got %d in %q", key, maxSocketPath, len(path), endpoint)
	}
	ln, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(path) {
		// A publisher that was killed leaves its socket file, and libzmq takes such a file over too.
		if err = os.Remove(path); err == nil {
			ln, err = net.Listen("unix", path)
		}
	}
	if err != nil {
		return nil, "", bindError(key, endpoint, err)
	}
	return ln, endpoint, nil
}

// abandoned tells whether path is a socket that nobody listens on.
func abandoned(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func bindError(key, endpoint string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %q is in use: %w", key, endpoint, err)
	}
	return fmt.Errorf("%s: cannot listen on %q: %w", key, endpoint, err)
}

func splitPort(key, endpoint, address string) (string, int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%s: must be tcp://host:port, got %q: %w", key, endpoint, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%s: port must be 0 to 65535, got %q in %q", key, text, endpoint)
	}
	return host, port, nil
}

// ofRank is the endpoint of a data-parallel rank: port+rank for tcp, a suffix for ipc. Port 0 stays 0.
func ofRank(key, endpoint string, rank int, suffix string) (string, error) {
	if rank < 0 {
		return "", fmt.Errorf("rank: must be at least 0, got %d", rank)
	}
	address, isTCP := strings.CutPrefix(endpoint, "tcp://")
	if !isTCP {
		return endpoint + suffix, nil
	}
	host, port, err := splitPort(key, endpoint, address)
	if err != nil || port == 0 {
		return endpoint, err
	}
	if port+rank > 65535 {
		return "", fmt.Errorf("%s: port plus rank must be at most 65535, got %d+%d", key, port, rank)
	}
	return "tcp://" + net.JoinHostPort(host, strconv.Itoa(port+rank)), nil
}
