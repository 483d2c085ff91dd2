package live

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

const samplePage = "# HELP a b\n# TYPE a counter\na{x=\"1\"} 1.0\nb{} 2\nc 3.0\n"

// afterClock hands out the channels of After.
type afterClock struct {
	wall.Clock
	asked chan time.Duration
	fire  chan time.Time
}

func (c afterClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.asked <- d
	return c.fire, func() {}
}

func startPage(t *testing.T, clock Clock) (*faultyPage, *httptest.Server) {
	t.Helper()
	page := newFaultyPage(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, samplePage)
	}), clock)
	server := httptest.NewServer(page)
	t.Cleanup(server.Close)
	return page, server
}

func get(ctx context.Context, url string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestPageFaults(t *testing.T) {
	page, server := startPage(t, wall.Clock{})
	status, body, err := get(t.Context(), server.URL)
	require.NoError(t, err)
	assert.Equal(t, samplePage, body)
	assert.Equal(t, http.StatusOK, status)

	page.set(PageFault{Status: http.StatusServiceUnavailable})
	status, _, err = get(t.Context(), server.URL)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, status)

	page.set(PageFault{Truncate: 0.5})
	_, body, err = get(t.Context(), server.URL)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, samplePage[:len(samplePage)-len(samplePage)/2], body)

	page.set(PageFault{LabelChurn: true})
	_, first, err := get(t.Context(), server.URL)
	require.NoError(t, err)
	_, second, err := get(t.Context(), server.URL)
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	for _, want := range []string{"# TYPE a counter\n", "a{replica_uid=\"", "\",x=\"1\"} 1.0\n", "b{replica_uid=\"", "c{replica_uid=\"", "\"} 3.0\n"} {
		assert.Contains(t, first, want)
	}
	assert.NotContains(t, strings.ReplaceAll(first, "# ", ""), ",}")
}

func TestAHangingPageAnswersWhenTheFaultEnds(t *testing.T) {
	page, server := startPage(t, wall.Clock{})
	page.set(PageFault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, _, err := get(ctx, server.URL)
		gone <- err
	}()
	waiting := make(chan string, 1)
	go func() {
		_, body, _ := get(t.Context(), server.URL)
		waiting <- body
	}()
	require.Eventually(t, func() bool {
		page.mu.Lock()
		defer page.mu.Unlock()
		return page.scrapes == 2
	}, 5*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	page.set(PageFault{})
	assert.Equal(t, samplePage, <-waiting)
}

func TestADelayedPage(t *testing.T) {
	clock := afterClock{asked: make(chan time.Duration, 1), fire: make(chan time.Time)}
	page, server := startPage(t, clock)
	page.set(PageFault{Delay: 3 * time.Second})
	answer := make(chan string, 1)
	go func() {
		_, body, _ := get(t.Context(), server.URL)
		answer <- body
	}()
	assert.Equal(t, 3*time.Second, <-clock.asked)
	clock.fire <- time.Time{}
	assert.Equal(t, samplePage, <-answer)
}
