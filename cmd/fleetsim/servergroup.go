package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// serverGroup is the control server and the workers' servers, in this order.
type serverGroup struct {
	servers   []*http.Server
	listeners []net.Listener
	addresses []string
	running   sync.WaitGroup
}

// listen binds every address, so that a port in use is an error before anything starts.
func listen(opts options, d *driver) (*serverGroup, error) {
	g := &serverGroup{}
	if err := g.add(opts.control, controlHandler(d)); err != nil {
		return nil, err
	}
	for i := range d.fleet.Workers() {
		address, err := opts.workerAddress(i)
		if err == nil {
			err = g.add(address, workerHandler(d, i))
		}
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	return g, nil
}

func (g *serverGroup) add(address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	g.listeners = append(g.listeners, l)
	g.addresses = append(g.addresses, l.Addr().String())
	g.servers = append(g.servers, &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second})
	return nil
}

func (g *serverGroup) close() error {
	var err error
	for _, l := range g.listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

func (g *serverGroup) serve() {
	for i, s := range g.servers {
		g.running.Go(func() {
			// Serve ends with ErrServerClosed only: the listener is ours.
			_ = s.Serve(g.listeners[i])
		})
	}
}

// shutdown lets requests under way finish, for a few seconds at most.
func (g *serverGroup) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var err error
	for _, s := range g.servers {
		err = errors.Join(err, s.Shutdown(ctx))
	}
	g.running.Wait()
	return err
}
