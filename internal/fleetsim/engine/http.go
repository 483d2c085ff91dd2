package engine

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Endpoint is a path that an engine's HTTP server answers to GET, always with status 200.
type Endpoint struct {
	Path        string
	ContentType string // "" for an empty body
	Write       func(io.Writer) error
}

const jsonType = "application/json"

// document is an endpoint whose JSON never changes.
func document(path string, v any) Endpoint {
	return Endpoint{Path: path, ContentType: jsonType, Write: func(w io.Writer) error {
		body, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		return err
	}}
}

// healthy is an endpoint that answers with an empty body.
func healthy(path string) Endpoint {
	return Endpoint{Path: path, Write: func(io.Writer) error { return nil }}
}

// Handler answers HTTP as the page's engine does. It holds the lock while it reads the page, never while it sends.
func Handler(p Page, lock sync.Locker) http.Handler {
	mux := http.NewServeMux()
	for _, e := range p.Endpoints() {
		mux.HandleFunc("GET "+e.Path, func(w http.ResponseWriter, _ *http.Request) {
			var body bytes.Buffer
			lock.Lock()
			err := e.Write(&body)
			lock.Unlock()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			if e.ContentType != "" {
				w.Header().Set("Content-Type", e.ContentType)
			}
			w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
			// A client that went away is its own business.
			_, _ = w.Write(body.Bytes())
		})
	}
	return mux
}
