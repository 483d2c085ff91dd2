package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import "strings"

// EventType is NIXL's number of an event. Layouts that carry names are translated.
type EventType uint32

// Events of NIXL. Sizes are in bytes, times in microseconds, the rest are counts. Numbers 8 to 19 are the errors of ErrorNames.
const (
	TxBytes EventType = iota
	RxBytes
	TxRequests
	RxRequests
	MemoryRegistered
	MemoryDeregistered
	XferTime
	XferPostTime

	firstError EventType = 8
	lastError  EventType = 19

	// EventsDropped is how many events the agent's staging queue had no room for since the last such event.
	EventsDropped EventType = 20

	// unknownType stands for what no release writes.
	unknownType EventType = 1<<32 - 1
)

// knownTypes is the number of event types above.
const knownTypes = int(EventsDropped) + 1

// Sums are values added up by event type: bytes, microseconds or counts.
type Sums [knownTypes]uint64

// Errors are the counts of errors, in the order of ErrorNames.
func (s *Sums) Errors() []uint64 { return s[firstError : lastError+1] }

// errorNames are the errors in the order of their numbers, after nixl_status_t in lower case.
const errorNames = "not_posted invalid_param backend not_found mismatch not_allowed repost_active unknown not_supported " +
	"remote_disconnect canceled no_telemetry"

// ErrorNames returns the twelve errors, in the order of Sums.Errors.
func ErrorNames() []string { return strings.Fields(errorNames) }

// Event is one event of a ring. It has the size and the fields of an event of V3 and later.
type Event struct {
	Type  EventType
	_     uint32 // padding, which may hold anything
	Value uint64
}

// typeOf translates the name of an event of V1 or V2Named.
func typeOf(name []byte) EventType {
	switch string(name) {
	case "agent_tx_bytes":
		return TxBytes
	case "agent_rx_bytes":
		return RxBytes
	case "agent_tx_requests_num":
		return TxRequests
	case "agent_rx_requests_num":
		return RxRequests
	case "agent_memory_registered":
		return MemoryRegistered
	case "agent_memory_deregistered":
		return MemoryDeregistered
	case "agent_xfer_time":
		return XferTime
	case "agent_xfer_post_time":
		return XferPostTime
	}
	return errorOf(name)
}

// errorOf translates the name of an error, which is that of its status.
func errorOf(name []byte) EventType {
	switch string(name) {
	case "NIXL_ERR_NOT_POSTED":
		return firstError
	case "NIXL_ERR_INVALID_PARAM":
		return firstError + 1
	case "NIXL_ERR_BACKEND":
		return firstError + 2
	case "NIXL_ERR_NOT_FOUND":
		return firstError + 3
	case "NIXL_ERR_MISMATCH":
		return firstError + 4
	case "NIXL_ERR_NOT_ALLOWED":
		return firstError + 5
	case "NIXL_ERR_REPOST_ACTIVE":
		return firstError + 6
	case "NIXL_ERR_UNKNOWN":
		return firstError + 7
	case "NIXL_ERR_NOT_SUPPORTED":
		return firstError + 8
	case "NIXL_ERR_REMOTE_DISCONNECT":
		return firstError + 9
	case "NIXL_ERR_CANCELED":
		return firstError + 10
	case "NIXL_ERR_NO_TELEMETRY":
		return lastError
	}
	return unknownType
}
