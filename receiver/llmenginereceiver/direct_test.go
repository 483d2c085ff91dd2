package llmenginereceiver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
)

// counted serves f and counts its connections.
func counted(t *testing.T, f http.HandlerFunc) (s *httptest.Server, connections *atomic.Int32) {
	connections = new(atomic.Int32)
	s = httptest.NewUnstartedServer(f)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, connections
}

func directClient(t *testing.T) *http.Client {
	c := &http.Client{Transport: &direct{wires: new(wires)}, CheckRedirect: sameHost}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// ask returns the status and the body, both of which must come.
func ask(t *testing.T, c *http.Client, from string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestDirectKeepsItsConnection(t *testing.T) {
	long := strings.Repeat("page ", 50_000)
	for name, write := range map[string]http.HandlerFunc{
		"of known length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(long)))
			_, _ = io.WriteString(w, long)
		},
		"in chunks": func(w http.ResponseWriter, _ *http.Request) {
			for piece := range strings.SplitSeq(long, "page 9") {
				_, _ = io.WriteString(w, piece)
				w.(http.Flusher).Flush()
			}
		},
		"after interim answers": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			_, _ = io.WriteString(w, long)
		},
		"after a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				http.Redirect(w, r, "/metrics/", http.StatusTemporaryRedirect)
				return
			}
			_, _ = io.WriteString(w, long)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, connections := counted(t, write)
			c := directClient(t)
			for range 5 {
				status, body := ask(t, c, s.URL+"/metrics")
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, long, body)
			}
			assert.Equal(t, int32(1), connections.Load())
		})
	}
}

// TestDirectAsksAnew: engines close connections that are idle, some after 5 s, which shows only when the next request fails.
func TestDirectAsksAnew(t *testing.T) {
	s, connections := counted(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	c := directClient(t)
	for range 3 {
		_, body := ask(t, c, s.URL)
		assert.Equal(t, "page", body)
		s.CloseClientConnections()
	}
	assert.Equal(t, int32(3), connections.Load())
}

// raw answers every request on a connection with the next of the texts, then closes it.
func raw(t *testing.T, answers ...string) (address string, requests *atomic.Int32) {
	requests = new(atomic.Int32)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			for _, text := range answers {
				if _, err := http.ReadRequest(in); err != nil {
					break
				}
				requests.Add(1)
				_, _ = io.WriteString(conn, text)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String(), requests
}

const short = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"

func TestDirectDoesNotKeep(t *testing.T) {
	for name, text := range map[string]string{
		"that is to be closed":        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\npage",
		"of HTTP/1.0":                 "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\npage",
		"with something behind":       short + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
		"that says so while it waits": short,
	} {
		t.Run(name, func(t *testing.T) {
			answers := []string{text, text}
			if text == short {
				answers[1] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
			}
			address, _ := raw(t, answers...)
			c := directClient(t)
			for range 3 {
				status, body := ask(t, c, address)
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, "page", body)
			}
		})
	}
}

// TestDirectFails: what a new connection does not answer, no third one is asked for.
func TestDirectFails(t *testing.T) {
	for name, text := range map[string]string{
		"no answer":        "",
		"half an answer":   "HTTP/1.1 200 OK\r\nContent-",
		"no HTTP":          "SSH-2.0-OpenSSH_9.6\r\n",
		"endless headers":  "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("y", 1000)+"\r\n", 2000) + "\r\n",
		"endless interims": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			address, requests := raw(t, text)
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
			require.NoError(t, err)
			_, err = directClient(t).Do(req) //nolint:bodyclose // there is none
			assert.Error(t, err)
			assert.Equal(t, name == "endless headers", strings.Contains(fmt.Sprint(err), "at most 1048576 bytes"), err)
			assert.Equal(t, int32(1), requests.Load())
		})
	}
}

// TestDirectIsNeverForTLS: what is meant to be encrypted is not sent in the clear, whoever asks for it.
func TestDirectIsNeverForTLS(t *testing.T) {
	s, connections := counted(t, func(http.ResponseWriter, *http.Request) {})
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https"+strings.TrimPrefix(s.URL, "http"), nil)
	require.NoError(t, err)
	_, err = directClient(t).Do(req) //nolint:bodyclose // there is none
	assert.ErrorContains(t, err, `the scheme must be http (got "https")`)
	assert.Zero(t, connections.Load())
}

// TestDirectIsToldOfATimeout: on a new connection it is an answer as any other.
func TestDirectIsToldOfATimeout(t *testing.T) {
	address, requests := raw(t, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
	status, _ := ask(t, directClient(t), address)
	assert.Equal(t, http.StatusRequestTimeout, status)
	assert.Equal(t, int32(1), requests.Load())
}

// TestDirectDoesNotKeepWhatIsNoHTTP: after an answer of status 101 the connection speaks another protocol.
func TestDirectDoesNotKeepWhatIsNoHTTP(t *testing.T) {
	address, _ := raw(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n", short)
	client := directClient(t)
	status, _ := ask(t, client, address)
	assert.Equal(t, http.StatusSwitchingProtocols, status)
	assert.Nil(t, client.Transport.(*direct).conn)
}

// TestDirectEnds: a request ends when its context does, wherever it is.
func TestDirectEnds(t *testing.T) {
	waits := make(chan struct{}, 1)
	for name, handle := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) {
			waits <- struct{}{}
			<-r.Context().Done()
		},
		"in the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "pa")
			w.(http.Flusher).Flush()
			waits <- struct{}{}
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := counted(t, handle)
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				<-waits
				cancel()
			}()
			at, err := url.Parse(s.URL)
			require.NoError(t, err)
			client := directClient(t)
			tgt := &target{url: at, pages: client, buffers: newBuffers(1), maxBytes: 1 << 20}
			_, _, failed := tgt.fetch(ctx)
			require.NotNil(t, failed)
			assert.Equal(t, outcomeTimeout, failed.outcome)
			assert.Nil(t, client.Transport.(*direct).conn)
		})
	}
}

// TestDirectLeavesTheRest: what needs more of the configuration than an address is confighttp's client's.
func TestDirectLeavesTheRest(t *testing.T) {
	at := func(text string) *url.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return u
	}
	plain := at("http://127.0.0.1:8000/metrics")
	assert.True(t, isPlain(createDefaultConfig().(*Config), plain))
	assert.True(t, isPlain(createDefaultConfig().(*Config), at("http://[fe80::1%25eth0]:8000/metrics")))
	assert.False(t, isPlain(createDefaultConfig().(*Config), at("http://b\u00fccher.example:8000/metrics")))
	assert.False(t, isPlain(createDefaultConfig().(*Config), at("https://127.0.0.1:8000/metrics")))
	assert.False(t, isPlain(createDefaultConfig().(*Config), at("http://user:secret@127.0.0.1:8000/metrics")))
	for name, change := range map[string]func(*Config){
		"proxy":       func(c *Config) { c.ClientConfig.ProxyURL = "http://proxy:3128" },
		"headers":     func(c *Config) { c.ClientConfig.Headers = configopaque.MapList{{Name: "X-Scope", Value: "a"}} },
		"compression": func(c *Config) { c.ClientConfig.Compression = "gzip" },
		"auth": func(c *Config) {
			c.ClientConfig.Auth = configoptional.Some(configauth.Config{AuthenticatorID: component.MustNewID("basicauth")})
		},
		"cookies":         func(c *Config) { c.ClientConfig.Cookies = configoptional.Some(confighttp.CookiesConfig{}) },
		"no keeping":      func(c *Config) { c.ClientConfig.DisableKeepAlives = true }, //nolint:staticcheck // what confighttp folds it into
		"idle for longer": func(c *Config) { c.Scrape.CollectionInterval = 2 * time.Minute },
	} {
		cfg := createDefaultConfig().(*Config)
		change(cfg)
		assert.False(t, isPlain(cfg, plain), name)
	}
}
