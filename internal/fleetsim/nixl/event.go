package nixl

import (
	"strings"
	"time"
)

// EventType is NIXL's number of an event. V1 and V2Named have names in the place of numbers.
type EventType uint32

// Events of V2 and later. Sizes are in bytes, times in microseconds, the rest are counts.
const (
	TxBytes EventType = iota
	RxBytes
	TxRequests
	RxRequests
	MemoryRegistered
	MemoryDeregistered
	XferTime
	XferPostTime
	errorNotPosted // the first of twelve errors, in the order of Status
)

const (
	errorTypes = 12

	// EventsDropped is how many events the staging queue had no room for since the flush before; V4 and V5.
	EventsDropped EventType = 20
	// forkEventsDropped is the number that V5Fork gives to EventsDropped, behind 17 events of its own.
	forkEventsDropped EventType = 37
)

// Status is an error of NIXL; the value is nixl_status_t without its sign.
type Status uint8

// Errors of NIXL.
const (
	NotPosted Status = iota + 1
	InvalidParam
	Backend
	NotFound
	Mismatch
	NotAllowed
	RepostActive
	Unknown
	NotSupported
	RemoteDisconnect
	Canceled
	NoTelemetry
)

// Reported says whether the library ever counts the error. Seven are not: a lost peer (RemoteDisconnect, to which UCX maps resets,
// timeouts and cancellations) returns before the counter, and the others arise where nothing counts.
func (s Status) Reported() bool {
	switch s {
	case InvalidParam, Backend, NotFound, Unknown, NotSupported:
		return true
	}
	return false
}

func (s Status) valid() bool { return s >= NotPosted && s <= NoTelemetry }

func (s Status) event() EventType { return errorNotPosted + EventType(s-NotPosted) }

// Transfer is one completed transfer as its initiator saw it; the passive peer's telemetry says nothing of it.
type Transfer struct {
	Write bool   // true: this agent wrote to its peer (tx); false: it read from it (rx)
	Bytes uint64 // sum over the descriptors
	// Duration is from the post to the poll that found the transfer complete, Post from the start of the post to its return.
	// Both are cut to whole microseconds.
	Duration, Post time.Duration
}

// event is one entry of the staging queue.
type event struct {
	kind  EventType
	value uint64
	at    int64 // Unix time in microseconds at which it was staged; V1 only
}

// name is what NIXL calls an event in its list of enabled metrics.
func (k EventType) name() string {
	switch k {
	case TxBytes:
		return "agent_tx_bytes"
	case RxBytes:
		return "agent_rx_bytes"
	case TxRequests:
		return "agent_tx_requests_num"
	case RxRequests:
		return "agent_rx_requests_num"
	case MemoryRegistered:
		return "agent_memory_registered"
	case MemoryDeregistered:
		return "agent_memory_deregistered"
	case XferTime:
		return "agent_xfer_time"
	case XferPostTime:
		return "agent_xfer_post_time"
	case EventsDropped:
		return "agent_telemetry_events_dropped"
	}
	if k.isError() {
		return "agent_err_" + strings.ToLower(k.status())
	}
	return ""
}

// text is the name in an event of V1 or V2Named, where an error is called after its status.
func (k EventType) text() string {
	if k.isError() {
		return "NIXL_ERR_" + k.status()
	}
	return k.name()
}

func (k EventType) isError() bool { return k >= errorNotPosted && k < errorNotPosted+errorTypes }

// status is the error's name in nixl_status_t, without the common beginning.
func (k EventType) status() string {
	return [errorTypes]string{
		"NOT_POSTED", "INVALID_PARAM", "BACKEND", "NOT_FOUND", "MISMATCH", "NOT_ALLOWED", "REPOST_ACTIVE", "UNKNOWN",
		"NOT_SUPPORTED", "REMOTE_DISCONNECT", "CANCELED", "NO_TELEMETRY",
	}[k-errorNotPosted]
}

// category is the coarse kind that V1, V2Named and V2 carry.
func (k EventType) category() uint32 {
	const memory, transfer, failure, performance = 0, 1, 4, 5
	switch k {
	case MemoryRegistered, MemoryDeregistered:
		return memory
	case TxBytes, RxBytes, TxRequests, RxRequests:
		return transfer
	case XferTime, XferPostTime:
		return performance
	}
	return failure
}
