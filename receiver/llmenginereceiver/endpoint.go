package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPath = "/metrics"
	mountPath   = "/prometheus" // where TensorRT-LLM has its metrics, since JSON is at the default path
)

// parseEndpoint reads host:port or a URL. Without a scheme it is http, without a path /metrics, and a URL without a port has the
// scheme's. The error says what the endpoint must be and shows it without credentials and query, which may hold secrets.
func parseEndpoint(endpoint string) (*url.URL, error) {
	text := endpoint
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("must be host:port or a URL (got %q)", redact(endpoint))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("must have the scheme http or https (got %q)", u.Scheme)
	}
	// Of a discovered target the port comes from an annotation. "8000@elsewhere" in it would make a user name of the target's address.
	if _, err := netip.ParseAddr(u.User.Username()); err == nil {
		return nil, fmt.Errorf("must not have an address as user name (got %q)", u.User.Username())
	}
	if u.Port() == "" {
		if text != endpoint {
			return nil, fmt.Errorf("must have a port when it is no URL (got %q)", redact(endpoint))
		}
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
		return nil, fmt.Errorf("must have a port from 1 to 65535 (got %q)", u.Port())
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = defaultPath
	}
	u.Fragment = ""
	return u, nil
}

// aboutURL returns the address of a page of an engine beside its metrics. page is a path and may have a query.
func aboutURL(metrics *url.URL, page string) *url.URL {
	u := *metrics
	root := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), defaultPath)
	path, query, _ := strings.Cut(page, "?")
	u.Path = strings.TrimSuffix(root, mountPath) + path
	u.RawPath, u.RawQuery = "", query
	return &u
}

// redact cuts what may be a secret from an endpoint that is no valid URL.
func redact(endpoint string) string {
	endpoint, _, _ = strings.Cut(endpoint, "?")
	scheme, rest, ok := strings.Cut(endpoint, "://")
	if !ok {
		scheme, rest = "", endpoint
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if scheme != "" {
		return scheme + "://" + rest
	}
	return rest
}

// isLocal reports whether a host is the machine that the collector runs on, as far as its name or address tells.
func (r *engineReceiver) isLocal(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsLoopback() || slices.Contains(r.addresses, address)
	}
	return strings.EqualFold(host, "localhost") || r.hostname != "" && strings.EqualFold(host, r.hostname)
}

// ownAddresses are those of this host's interfaces. Without them only loopback is known to be local.
func ownAddresses() (all []netip.Addr) {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, i := range interfaces {
		if prefix, err := netip.ParsePrefix(i.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all
}
