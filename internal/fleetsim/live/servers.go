package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// servers are HTTP servers that start and stop together.
type servers struct {
	list      []*http.Server
	listeners []net.Listener
	running   sync.WaitGroup
}

// add binds an address, so that a port in use is an error before anything starts; what names it in the error. It returns the
// address bound.
func (g *servers) add(what, address string, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", fmt.Errorf("%s: address already in use: %s; stop what listens there or choose another one", what, address)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	g.listeners = append(g.listeners, l)
	g.list = append(g.list, &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second})
	return l.Addr().String(), nil
}

// abandon closes the listeners of servers that were never started.
func (g *servers) abandon() error {
	var err error
	for _, l := range g.listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

func (g *servers) serve() {
	for i, s := range g.list {
		g.running.Go(func() {
			// Serve ends with ErrServerClosed only: the listener is ours.
			_ = s.Serve(g.listeners[i])
		})
	}
}

// shutdown lets requests under way finish for a moment, then cuts those that hang.
func (g *servers) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var err error
	for _, s := range g.list {
		if e := s.Shutdown(ctx); e != nil {
			err = errors.Join(err, s.Close())
		}
	}
	g.running.Wait()
	g.listeners = nil
	return err
}

// checkAddress refuses addresses that others can reach, unless asked for: the pages have no authentication.
func checkAddress(key, address string, allowRemote bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: must be host:port, is %q", key, address)
	}
	ip := net.ParseIP(host)
	if allowRemote || host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s: must be a loopback address unless allow-remote is set, is %q", key, address)
}

// nth is the address i ports above the base, or the base itself where it asks for a free port.
func nth(key, base string, i int) (string, error) {
	host, text, err := net.SplitHostPort(base)
	if err != nil {
		return "", fmt.Errorf("%s: must be host:port, is %q", key, base)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port+i > 65535 {
		return "", fmt.Errorf("%s: the port of worker %d must be from 0 to 65535, the base is %q", key, i, text)
	}
	if port > 0 {
		port += i
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}
