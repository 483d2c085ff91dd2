package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// fleet serves the page on many ports of the loopback interface.
type fleet struct {
	addresses []string
	pages     atomic.Int64 // served
	others    atomic.Int64 // requests for anything else
	servers   []*http.Server
	serving   sync.WaitGroup
}

// serve opens n ports. Every page that one of them serves is further on than the one before.
func serve(n int, p *page) (*fleet, error) {
	f := &fleet{}
	buffers := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		var served atomic.Int64
		s := &http.Server{
			ReadHeaderTimeout: time.Minute,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/metrics" {
					f.others.Add(1)
					http.NotFound(w, r)
					return
				}
				b, _ := buffers.Get().(*bytes.Buffer)
				defer buffers.Put(b)
				b.Reset()
				p.write(b, served.Add(1))
				w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
				if _, err := w.Write(b.Bytes()); err == nil {
					f.pages.Add(1)
				}
			}),
		}
		f.addresses = append(f.addresses, l.Addr().String())
		f.servers = append(f.servers, s)
		f.serving.Go(func() { _ = s.Serve(l) }) // ends when the server is closed
	}
	return f, nil
}

func (f *fleet) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var errs []error
	for _, s := range f.servers {
		if s.Shutdown(ctx) != nil {
			errs = append(errs, s.Close())
		}
	}
	f.serving.Wait()
	return errors.Join(errs...)
}
