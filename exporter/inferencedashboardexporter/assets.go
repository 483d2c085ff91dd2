package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// files holds the page. assets/vendor is empty in the source tree; `make build` puts the chart library there.
//
//go:embed assets
var files embed.FS

// chartLibrary is the file without which the page draws no charts.
const chartLibrary = "vendor/uPlot.iife.min.js"

// asset is one file of the page, ready to send.
type asset struct {
	contentType string
	etag        string
	body        []byte
	zipped      []byte // nil where compression gains nothing
}

// readAssets returns the files by their path below /. Files of other types than a page is made of are left out.
func readAssets() (map[string]asset, error) {
	types := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}
	assets := map[string]asset{}
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		contentType, ok := types[path.Ext(name)]
		if err != nil || d.IsDir() || !ok {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		a := asset{contentType: contentType, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, body: body}
		if a.zipped, err = zip(body); err != nil {
			return err
		}
		assets[strings.TrimPrefix(name, "assets/")] = a
		return nil
	})
	return assets, err
}

func zip(body []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(body) {
		return nil, nil
	}
	return b.Bytes(), nil
}

// serve sends the asset, or says that the browser has it already.
func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache") // revalidate: a new binary may bring a new page
	h.Set("Etag", a.etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.body
	if a.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	_, _ = w.Write(body) // the browser went away
}
