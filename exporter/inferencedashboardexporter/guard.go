package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"net"
	"net/http"
	"strings"
)

// maxQuery bounds a query string, in bytes.
const maxQuery = 1024

// contentPolicy allows the page its own files and its own API and nothing else: no inline code or style, no foreign origin, no
// frame around it, no HTML made from strings by its scripts.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types charts"

// guard answers what must not reach the handlers: other methods than reading, overlong queries, and on a loopback endpoint a Host
// that is not this machine. The last one stops DNS rebinding: a foreign page whose name was pointed at 127.0.0.1 could otherwise
// read the API as its own origin.
func guard(next http.Handler, endpoint string) http.Handler {
	hosts := allowedHosts(endpoint)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		switch {
		case hosts != nil && !hosts[hostname(r.Host)]:
			http.Error(w, "this dashboard answers to localhost only", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "this dashboard is read-only", http.StatusMethodNotAllowed)
		case len(r.URL.RawQuery) > maxQuery:
			http.Error(w, "the query is too long", http.StatusRequestURITooLong)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// allowedHosts returns the Host names that a loopback endpoint answers to, nil where the endpoint is not a loopback one and the
// names under which it is reached are the operator's business. The port is left open, for forwarded ports.
func allowedHosts(endpoint string) map[string]bool {
	host := hostname(endpoint)
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil
	}
	return map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, host: true}
}

// hostname returns the host of host:port in lower case, without brackets.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
