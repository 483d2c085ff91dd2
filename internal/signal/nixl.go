package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the nixl receiver: what NIXL said of its transfers, and what the host's links carried meanwhile.
const (
	NIXLAgentInfo      = "nixl.agent.info"
	NIXLAgentUp        = "nixl.agent.up"
	NIXLAgents         = "nixl.agents"
	NIXLAgentRestarts  = "nixl.agent.restarts"
	NIXLLastEventAge   = "nixl.agent.last_event.age"
	NIXLTransferIO     = "nixl.transfer.io"
	NIXLTransferCount  = "nixl.transfer.count"
	NIXLTransferTime   = "nixl.transfer.duration"
	NIXLTransferPost   = "nixl.transfer.post.duration"
	NIXLTransferSize   = "nixl.transfer.size"
	NIXLThroughput     = "nixl.transfer.throughput"
	NIXLBusyTime       = "nixl.transfer.busy_time"
	NIXLMemoryRegister = "nixl.memory.register.io"
	NIXLMemoryRelease  = "nixl.memory.deregister.io"
	NIXLMemory         = "nixl.memory.registered"
	NIXLErrors         = "nixl.errors"
	NIXLEventsDropped  = "nixl.telemetry.events.dropped"
	NIXLRingUsage      = "nixl.telemetry.ring.usage"
	NIXLContention     = "nixl.telemetry.reader.contention"
	NIXLLinkIO         = "nixl.link.io"
	NIXLLinkLimit      = "nixl.link.limit"
	NIXLLinkUse        = "nixl.link.utilization"
	NIXLLinkUp         = "nixl.link.up"
	NIXLRDMAErrors     = "nixl.rdma.errors"
	NIXLTransport      = "nixl.transport.info"
)

// Resource attributes of a NIXL agent.
const (
	AttrNIXLAgentName   = "nixl.agent.name"
	AttrNIXLAgentSlot   = "nixl.agent.slot" // number that stands for a random name, given anew when the agent is gone
	AttrNIXLSource      = "nixl.telemetry.source"
	AttrNIXLLayout      = "nixl.layout.version"
	AttrNIXLLocalRank   = "nixl.local_rank"
	AttrNIXLReaderMode  = "nixl.telemetry.reader.mode" // observe or consume
	AttrEnvironmentStem = "process.environment_variable."
)

// Point attributes of the nixl receiver.
const (
	AttrInterface     = "network.interface.name" // of a network interface; an RDMA port has AttrHWID, device:port
	AttrLinkTransport = "nixl.link.transport"
	AttrRDMACounter   = "nixl.rdma.counter" // as the driver calls it
	AttrTransport     = "nixl.transport"
	AttrEvidence      = "nixl.transport.evidence"
)

// Values of AttrNetDirection: as the initiator of a transfer, or the host of a link, sees it.
const (
	DirectionTransmit = "transmit"
	DirectionReceive  = "receive"
	DirectionUnknown  = "unknown"
)

// Values of AttrNIXLSource.
const (
	NIXLSourceBuffer    = "buffer"
	NIXLSourceMultiproc = "multiproc"
)

// Values of AttrTransport and AttrEvidence.
const (
	TransportRDMA    = "rdma"
	TransportTCP     = "tcp"
	TransportLocal   = "local"
	TransportUnknown = "unknown"

	EvidenceCounters = "counters"
	EvidenceFD       = "fd"
	EvidenceLog      = "log"
)

// Values of AttrReason on NIXLEventsDropped.
const (
	DroppedStaging  = "staging_queue"
	DroppedRingFull = "ring_full"
	DroppedDecode   = "decode"
	DroppedOverrun  = "overwritten"
)

// NIXLEnvironment lists the environment variables of an agent that NIXLAgentInfo carries under AttrEnvironmentStem.
func NIXLEnvironment() []string {
	return []string{
		"UCX_TLS", "UCX_NET_DEVICES", "UCX_MAX_RMA_RAILS", "NIXL_TELEMETRY_ENABLE", "NIXL_TELEMETRY_EXPORTER",
		"NIXL_TELEMETRY_BUFFER_SIZE", "NIXL_TELEMETRY_RUN_INTERVAL", "NIXL_TELEMETRY_ENABLED_METRICS",
	}
}

// NIXLMetrics lists what the nixl receiver emits.
func NIXLMetrics() []Metric {
	const c = "nixl"
	info := []string{AttrNIXLAgentName, AttrProcessPID, AttrEngineName, AttrServerPort, AttrNIXLLocalRank, AttrNIXLReaderMode}
	for _, name := range NIXLEnvironment() {
		info = append(info, AttrEnvironmentStem+name)
	}
	link := []string{AttrInterface, AttrHWID, AttrLinkTransport}
	linkDirection := append([]string{AttrNetDirection}, link...)
	direction := []string{AttrNetDirection}
	return []Metric{
		{NIXLAgentInfo, Gauge, "1", info, c, "1 for each agent, with facts that may change; each is left out where it is not known."},
		{NIXLAgentUp, Gauge, "1", nil, c, "1 while the agent lives, 0 after; absent where the privileges do not suffice to know."},
		{NIXLAgents, Gauge, "{agent}", []string{AttrNIXLSource}, c, "Agents on the host whose telemetry is read."},
		{NIXLAgentRestarts, Sum, "{restart}", nil, c, "Times an agent began anew in the same file."},
		{NIXLLastEventAge, Gauge, "s", nil, c, "Time since the agent last told anything."},
		{NIXLTransferIO, Sum, "By", direction, c, "Bytes moved by transfers that this agent initiated: transmit for WRITE, receive for READ."},
		{NIXLTransferCount, Sum, "{transfer}", direction, c, "Transfers that this agent initiated and saw complete."},
		{NIXLTransferTime, Histogram, "s", direction, c,
			"Time of a transfer from its post to the poll that found it complete; unknown direction where the ring does not tell which bytes it moved."},
		{NIXLTransferPost, Histogram, "s", direction, c, "Time to post a transfer, part of its duration."},
		{NIXLTransferSize, Histogram, "By", direction, c, "Bytes of a transfer; from rings only."},
		{NIXLThroughput, Histogram, "By/s", direction, c, "Bytes over duration of each transfer; from rings only."},
		{NIXLBusyTime, Sum, "s", nil, c, "Sum of the durations of transfers; overlap is counted twice."},
		{NIXLMemoryRegister, Sum, "By", nil, c, "Memory registered."},
		{NIXLMemoryRelease, Sum, "By", nil, c, "Memory deregistered."},
		{NIXLMemory, UpDownCounter, "By", nil, c, "Memory registered less deregistered, since the agent was first seen."},
		{NIXLErrors, Sum, "{error}", []string{AttrErrorType}, c,
			"Errors that NIXL counted. A lost peer is not among them: NIXL returns before it counts, so that no errors is no proof of health."},
		{NIXLEventsDropped, Sum, "{event}", []string{AttrReason}, c,
			"Telemetry that is missing: staging_queue as the agent counted it; ring_full, times the ring was found full, a lower bound; decode, not understood; overwritten, while it was read beside another consumer."},
		{NIXLRingUsage, Gauge, "1", nil, c, "Largest share of the ring that was waiting at a poll since the last collection."},
		{NIXLContention, Sum, "{event}", nil, c, "Times another reader was seen to take events."},
		{NIXLLinkIO, Sum, "By", linkDirection, c, "Bytes that a link of the host carried, whoever sent them."},
		{NIXLLinkLimit, Gauge, "By/s", link, c, "Rate of a link in each direction."},
		{NIXLLinkUse, Gauge, "1", linkDirection, c, "Share of a link's rate that was used since the last collection."},
		{NIXLLinkUp, Gauge, "1", link, c, "1 while the link is up."},
		{NIXLRDMAErrors, Sum, "{error}", []string{AttrHWID, AttrRDMACounter}, c, "Faults and congestion that an RDMA port counted."},
		{NIXLTransport, Gauge, "1", []string{AttrTransport, AttrEvidence, AttrNetDirection}, c,
			"1 for the transport that the evidence speaks for. All of it is inferred: counters compares bytes of agents and links, fd is always unknown (an open RDMA device is no proof), log reads UCX_PROTO_INFO and tells the direction."},
		sourceMissing(c),
	}
}
