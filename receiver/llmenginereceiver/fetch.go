package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// accept asks for the text format. The Python client answers in OpenMetrics to whoever so much as names it, whatever the weights
// say, so it is not named; engines that know nothing else are still understood.
const accept = "text/plain;version=0.0.4,*/*;q=0.1"

// maxRedirects is enough for the one that a mounted application sends, from /metrics to /metrics/.
const maxRedirects = 3

// sameHost lets a client follow redirects on the host that was asked. An engine must not send the collector, with its
// credentials, elsewhere.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirect to another host")
	}
	return nil
}

// page is the body of an answer.
type page struct {
	body        []byte // has room for one more byte
	openMetrics bool
}

// receivePage reads the page that an answer has, of at most limit bytes after decompression, into buf.
func receivePage(ctx context.Context, resp *http.Response, limit int64, buf *bytes.Buffer) (page, *failure) {
	openMetrics, err := isOpenMetrics(resp.Header.Get("Content-Type"))
	if err != nil {
		return page{}, fail(outcomeContentType, "%w", err)
	}
	if failed := readBody(ctx, resp, limit, buf); failed != nil {
		return page{}, failed
	}
	buf.Grow(1)
	return page{buf.Bytes(), openMetrics}, nil
}

// readBody reads an answer of at most limit bytes, after decompression, into buf.
func readBody(ctx context.Context, resp *http.Response, limit int64, buf *bytes.Buffer) *failure {
	body, failed := decompress(ctx, resp)
	if failed != nil {
		return failed
	}
	buf.Reset()
	if resp.ContentLength > 0 && resp.ContentLength < limit {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	switch {
	case err != nil:
		return classify(ctx, err)
	case n > limit:
		return fail(outcomeTooLarge, "the page is larger than max_body_bytes, %d", limit)
	case len(bytes.TrimSpace(buf.Bytes())) == 0:
		return fail(outcomeEmpty, "the page is empty")
	}
	return nil
}

// get sends the request and returns an answer with status 200, whose body the caller closes.
func get(ctx context.Context, client *http.Client, from *url.URL) (*http.Response, *failure) {
	req := http.Request{Method: http.MethodGet, URL: from, Host: from.Host, Header: http.Header{
		"Accept": {accept},
		// Compressing costs the engine's event loop more than the network gains from it. A configured header overrides this one.
		"Accept-Encoding": {"identity"},
	}}
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, classify(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fail(outcomeHTTPStatus, "the answer is HTTP status %d", resp.StatusCode)
	}
	return resp, nil
}

// isOpenMetrics reads a content type. A page without one is taken for text.
func isOpenMetrics(contentType string) (bool, error) {
	switch contentType {
	case "", "text/plain; version=0.0.4; charset=utf-8", "text/plain; version=1.0.0; charset=utf-8": // nearly all
		return false, nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && media == "text/plain":
		return false, nil
	case err == nil && media == "application/openmetrics-text":
		return true, nil
	}
	if err == nil && media == "application/json" {
		return false, &jsonError{}
	}
	if len(contentType) > 100 {
		contentType = contentType[:100]
	}
	return false, fmt.Errorf("the page has the content type %q", contentType)
}

// jsonError is a page in JSON, as TensorRT-LLM has at the default path.
type jsonError struct{}

func (*jsonError) Error() string {
	return "the page is JSON; TensorRT-LLM has its metrics at /prometheus/metrics"
}

// decompress undoes gzip. The request asks for none, but a configured header may, and a server may send it unasked.
func decompress(ctx context.Context, resp *http.Response) (io.Reader, *failure) {
	switch encoding := strings.ToLower(resp.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return resp.Body, nil
	case "gzip":
		body, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, classify(ctx, err)
		}
		return body, nil
	default:
		return nil, fail(outcomeContentType, "the page has the content encoding %q", encoding)
	}
}

// classify tells a timeout from a broken connection. The URL, which may hold credentials, is cut from the error.
func classify(ctx context.Context, err error) *failure {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	var inNet net.Error
	if ctx.Err() != nil || errors.As(err, &inNet) && inNet.Timeout() {
		return fail(outcomeTimeout, "no whole answer in time")
	}
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt) {
		return fail(outcomeMalformed, "%w", err)
	}
	return fail(outcomeConnection, "%w", err)
}
