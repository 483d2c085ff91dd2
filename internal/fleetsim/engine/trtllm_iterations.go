package engine

import (
	"encoding/json"
	"io"
	"time"
)

// keptIterations is how many records wait for a reader; the oldest is dropped for a new one (iter_stats_max_iterations).
const keptIterations = 1000

// iteration is one record of the JSON page, with the engine's names. Fields that are not known are left out.
type iteration struct {
	Iter              int     `json:"iter"`
	Timestamp         moment  `json:"timestamp"`
	IterLatencyMS     float64 `json:"iterLatencyMS"`
	ActiveRequests    int     `json:"numActiveRequests"`
	QueuedRequests    int     `json:"numQueuedRequests"`
	CompletedRequests int     `json:"numCompletedRequests"`
	MaxActiveRequests int     `json:"maxNumActiveRequests"`
	MaxBatchStatic    int     `json:"maxBatchSizeStatic"`
	MaxBatchRuntime   int     `json:"maxBatchSizeRuntime"`
	MaxTokensRuntime  int     `json:"maxNumTokensRuntime"`
	GPUMemory         float64 `json:"gpuMemUsage,omitempty"` // bytes

	KVCache    kvCacheStats             `json:"kvCacheStats"`
	KVWindows  map[string]kvWindowStats `json:"kvCacheIterationStats,omitempty"`
	InFlight   inFlightStats            `json:"inflightBatchingStats"`
	SpecDecode specDecodeStats          `json:"specDecodingStats,omitzero"`
}

// moment is a time, written as the engine does.
type moment time.Time

// MarshalText writes month, day, year and time.
func (m moment) MarshalText() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(nil, "01-02-2006 15:04:05.000000"), nil
}

// kvCacheStats are cumulative, in blocks.
type kvCacheStats struct {
	HitRate        float64 `json:"cacheHitRate"`
	Reused         int     `json:"reusedBlocks"`
	Missed         int     `json:"missedBlocks"`
	Used           int     `json:"usedNumBlocks"`
	Free           int     `json:"freeNumBlocks"`
	Max            int     `json:"maxNumBlocks"`
	TokensPerBlock int     `json:"tokensPerBlock"`
}

// kvWindowStats are those of one iteration and one attention window, in blocks.
type kvWindowStats struct {
	Reused        int `json:"iterReusedBlocks"`
	FullReused    int `json:"iterFullReusedBlocks"`
	PartialReused int `json:"iterPartialReusedBlocks"`
	Missed        int `json:"iterMissedBlocks"`
}

type inFlightStats struct {
	Context       int     `json:"numContextRequests"`
	Generation    int     `json:"numGenRequests"`
	Paused        int     `json:"numPausedRequests"`
	Scheduled     int     `json:"numScheduledRequests"`
	ContextTokens int     `json:"numCtxTokens"`
	Decoded       float64 `json:"avgNumDecodedTokensPerIter"`
}

type specDecodeStats struct {
	Draft            int     `json:"numDraftTokens"`
	Accepted         int     `json:"numAcceptedTokens"`
	AcceptanceLength float64 `json:"acceptanceLength"`
}

// iterations is the bounded queue of records.
type iterations struct {
	ring  []iteration
	first int // the oldest, once the ring is full
}

func (q *iterations) push(it iteration) {
	if len(q.ring) < keptIterations {
		q.ring = append(q.ring, it)
		return
	}
	q.ring[q.first] = it
	q.first = (q.first + 1) % keptIterations
}

// drain writes the records as a JSON list, oldest first, and forgets them.
func (q *iterations) drain(w io.Writer) error {
	list := make([]iteration, 0, len(q.ring))
	list = append(append(list, q.ring[q.first:]...), q.ring[:q.first]...)
	q.ring, q.first = q.ring[:0], 0
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}
