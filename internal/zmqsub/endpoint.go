package zmqsub

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// rankPlace in an endpoint stands for the data-parallel rank.
const rankPlace = "{rank}"

// Endpoint is where a publisher listens.
type Endpoint struct {
	Network, Address string // as net.Dial has them
	text             string
}

func (e Endpoint) String() string { return e.text }

// Host returns the host and port of a tcp endpoint.
func (e Endpoint) Host() (host string, port int64, ok bool) {
	if e.Network != "tcp" {
		return "", 0, false
	}
	host, text, err := net.SplitHostPort(e.Address)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.ParseInt(text, 10, 64)
	return host, port, err == nil
}

// ParseEndpoint reads tcp://host:port or ipc://path for a data-parallel rank. Where the endpoint has {rank}, the rank is put there.
// Else rank r of tcp has the port plus r and, from rank 1 on, ipc has the suffix and r after the path: engines do so.
func ParseEndpoint(endpoint string, rank int, suffix string) (Endpoint, error) {
	placed := strings.Contains(endpoint, rankPlace)
	text := strings.ReplaceAll(endpoint, rankPlace, strconv.Itoa(rank))
	scheme, address, ok := strings.Cut(text, "://")
	switch {
	case ok && scheme == "ipc":
		if address == "" {
			return Endpoint{}, fmt.Errorf("must have a path (got %q)", endpoint)
		}
		if !placed && rank > 0 {
			address += suffix + strconv.Itoa(rank)
		}
		return Endpoint{"unix", address, "ipc://" + address}, nil
	case !ok || scheme != "tcp":
		return Endpoint{}, fmt.Errorf("must be tcp://host:port or ipc://path (got %q)", endpoint)
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil || host == "" || host == "*" {
		return Endpoint{}, fmt.Errorf("must be tcp://host:port, with the host to connect to (got %q)", endpoint)
	}
	port, err := strconv.Atoi(portText)
	if err == nil && !placed {
		port += rank
	}
	if err != nil || port < 1 || port > 65535 {
		return Endpoint{}, fmt.Errorf("must have a port from 1 to 65535 at every rank (got %q for rank %d)", endpoint, rank)
	}
	address = net.JoinHostPort(host, strconv.Itoa(port))
	return Endpoint{"tcp", address, "tcp://" + address}, nil
}

var errTooLarge = errors.New("the peer announces more than the limit")
