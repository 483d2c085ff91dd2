package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/kvevents"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// liveRecording is a real vLLM on a CPU under load, from preemptions to prompts that leave most of their blocks empty: its pages, its KV
// events, the ledger of its scheduler, and what the client knew of the tokens of the requests that ran.
const liveRecording = "../engines/recordings/live-vllm-0.32.0-cpu"

// livePage is a page of the recording.
type livePage struct {
	UnixTime float64           `json:"unix_time"`
	Messages int               `json:"messages"`
	Page     string            `json:"page"`    // whole, or
	Changed  map[string]string `json:"changed"` // lines that differ from the page before
}

// livePhase is a load of the recording.
type livePhase struct {
	Name     string  `json:"name"`
	Begin    float64 `json:"begin"`
	Until    float64 `json:"until"` // after it no more requests were sent
	Idle     float64 `json:"idle"`  // nothing ran any more
	Requests int     `json:"requests"`
}

// liveTruth is a page's row of truth.json.
type liveTruth struct {
	live, held, least, most          float64 // tokens, means of the time since the page before: by the ledger, and by the client
	hashed, evicted, found, computed float64 // at the page: blocks with content, evicted; tokens after preemptions
}

// liveWindow is what kv_fragmentation said of a window.
type liveWindow struct{ from, to, live float64 }

// TestAnEngineUnderLoad holds the pool by use that the processor makes of the recording against the engine's ledger and the client's
// tokens, and blocks and tokens found against the engine's counters.
func TestAnEngineUnderLoad(t *testing.T) {
	r := readLive(t)
	w := &kvWorker{said: readings{}, integral: map[string]float64{}, seconds: map[string]float64{}}
	var windows []liveWindow
	also, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
		live, known := w.said[key(signal.KVTokens, signal.KVUseLive)]
		if known && (len(windows) == 0 || windows[len(windows)-1].to < w.at) {
			from := w.at
			if len(windows) > 0 {
				from = windows[len(windows)-1].to
			}
			windows = append(windows, liveWindow{from, w.at, live})
		}
		return nil
	})
	require.NoError(t, err)
	pipeline, stop, err := newKVPipeline(kvScenario{interval: 5 * time.Second, also: also}, w)
	require.NoError(t, err)
	defer stop()
	decode, err := newDecoder()
	require.NoError(t, err)
	feed, decoder := newKVFeed(1, 0, nil), kvevents.Decoder{}
	start, message, phase := seconds(r.pages[0].UnixTime-1), 0, 0
	for i, p := range r.pages {
		for ; message < p.Messages; message++ {
			_, err := decoder.Decode(r.messages[message], feed.index)
			require.NoError(t, err)
		}
		page := append([]byte(p.Page), 0)
		md, err := decode(page[:len(page)-1], seconds(p.UnixTime))
		require.NoError(t, err)
		feed.append(md, start, seconds(p.UnixTime))
		require.NoError(t, pipeline.ConsumeMetrics(t.Context(), md))
		if phase < len(r.phases) && (i+1 == len(r.pages) || r.pages[i+1].UnixTime > r.phases[phase].Idle) {
			r.counters(t, phase, feed.index.Totals(), r.truth[i], w.said)
			phase++
		}
	}
	require.Equal(t, len(r.phases), phase)
	thrash, preempted := w.said[key(signal.KVWasteTokens, signal.WasteThrash)], w.said[key(signal.KVWasteTokens, signal.WastePreemption)]
	again := r.truth[len(r.truth)-1].computed
	t.Logf("computed again: %.0f and %.0f tokens, engine %.0f", thrash, preempted, again)
	assert.InEpsilon(t, again, thrash+preempted, 0.05, "each token once, whether preempted or evicted")
	assert.Less(t, w.poolOff, 1.0, "the parts add up to the pool")
	for _, p := range r.phases {
		r.share(t, p, windows, w.pool())
	}
}

// counters holds what is said when nothing runs.
func (r *live) counters(t *testing.T, phase int, totals kvcache.Totals, truth liveTruth, said readings) {
	t.Helper()
	name, found := r.phases[phase].Name, 0.0
	for _, q := range r.requests[:r.phases[phase].Requests] {
		found += float64(q[2])
	}
	assert.InDelta(t, found, said[key(signal.KVHitTokens, signal.CacheScopeLocal)], 0, "%s: tokens found, page and answers", name)
	// vLLM leaves out what preempted requests find when they come back. Events show it of those that store a block afterwards.
	assert.GreaterOrEqual(t, float64(totals.HitTokens), found, "%s: by events", name)
	assert.LessOrEqual(t, float64(totals.HitTokens), found+truth.found, "%s: by events", name)
	assert.InDelta(t, truth.evicted, float64(totals.Removed[kvcache.GPU]), 0, "%s: blocks evicted", name)
	assert.InDelta(t, truth.hashed, float64(totals.Resident[kvcache.GPU]), 0, "%s: blocks resident", name)
}

// share holds the mean of a phase against the ledger's, and against what the client knew at least and at most.
func (r *live) share(t *testing.T, p livePhase, windows []liveWindow, pool float64) {
	t.Helper()
	const bar = 2 // points of the pool
	var seconds, live float64
	var truth liveTruth
	for _, w := range windows {
		if w.from < p.Begin+1 || w.to > p.Until {
			continue
		}
		known := r.between(w.from, w.to)
		d := w.to - w.from
		seconds, live = seconds+d, live+d*w.live
		truth.live, truth.least, truth.most = truth.live+d*known.live, truth.least+d*known.least, truth.most+d*known.most
	}
	require.Greater(t, seconds, 15.0, p.Name)
	percent := func(v float64) float64 { return 100 * v / seconds / pool }
	t.Logf("%s: live %.2f %% of the pool, engine %.2f, client %.2f to %.2f", p.Name, percent(live), percent(truth.live), percent(truth.least), percent(truth.most))
	assert.InDelta(t, percent(truth.live), percent(live), bar, "%s: the engine's", p.Name)
	assert.GreaterOrEqual(t, percent(live), percent(truth.least)-bar, "%s: the client's", p.Name)
	assert.LessOrEqual(t, percent(live), percent(truth.most)+bar, "%s: the client's", p.Name)
}

// between is the mean of the rows over a time.
func (r *live) between(from, to float64) (mean liveTruth) {
	for i := 1; i < len(r.pages); i++ {
		part := (min(to, r.pages[i].UnixTime) - max(from, r.pages[i-1].UnixTime)) / (to - from)
		if part <= 0 {
			continue
		}
		row := r.truth[i]
		mean.live, mean.least, mean.most = mean.live+part*row.live, mean.least+part*row.least, mean.most+part*row.most
	}
	return mean
}

func seconds(unix float64) time.Time { return time.UnixMilli(int64(1000 * unix)) }

// live is the recording.
type live struct {
	pages    []livePage
	truth    []liveTruth
	phases   []livePhase
	requests [][3]int // prompt, completion and cached tokens, in the order in which they were sent
	messages [][]byte
}

func readLive(t *testing.T) *live {
	t.Helper()
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(liveRecording, name))
		require.NoError(t, err)
		return b
	}
	r := &live{pages: livePages(t, file("pages.jsonl.gz"))}
	var rows [][8]float64
	require.NoError(t, json.Unmarshal(file("truth.json"), &rows))
	for _, v := range rows {
		r.truth = append(r.truth, liveTruth{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]})
	}
	require.Len(t, r.truth, len(r.pages))
	var meta struct {
		Phases []livePhase `json:"phases"`
	}
	require.NoError(t, json.Unmarshal(file("meta.json"), &meta))
	r.phases = meta.Phases
	require.NoError(t, json.Unmarshal(file("requests.json"), &r.requests))
	frames := unpacked(t, file("kv-events.frames.gz"))
	for i := 0; len(frames) > 0; i++ {
		n := 4 + int(binary.BigEndian.Uint32(frames))
		if i%3 == 2 { // after topic and sequence number
			r.messages = append(r.messages, frames[4:n])
		}
		frames = frames[n:]
	}
	return r
}

func livePages(t *testing.T, packed []byte) (pages []livePage) {
	t.Helper()
	scanner := bufio.NewScanner(bytes.NewReader(unpacked(t, packed)))
	scanner.Buffer(nil, 1<<20)
	var lines []string
	for scanner.Scan() {
		var p livePage
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &p))
		if p.Page != "" {
			lines = strings.Split(p.Page, "\n")
		}
		for at, line := range p.Changed {
			i, err := strconv.Atoi(at)
			require.NoError(t, err)
			lines[i] = line
		}
		p.Page, p.Changed = strings.Join(lines, "\n"), nil
		pages = append(pages, p)
	}
	require.NoError(t, scanner.Err())
	return pages
}

func unpacked(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	return all
}
