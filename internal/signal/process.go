package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineProcessInfo has a point on a worker's resource for each of its processes on the collector's host. phase_attribution joins them
// with the processes that NVML names on each GPU (nvidia.gpu.process.memory.usage).
const EngineProcessInfo = "llm.engine.process.info"

// SourceProcesses is the value of AttrSource where the processes of an engine on this host cannot be seen.
const SourceProcesses = "processes"

// SourceDiscovery is the value of AttrSource where engines run on a host that its discovery cannot find: for want of privileges, or behind
// docker-proxy.
const SourceDiscovery = "discovery"

// ProcessMetrics lists what the llm_engine receiver emits of the processes behind an endpoint.
func ProcessMetrics() []Metric {
	return []Metric{
		{EngineProcessInfo, Gauge, "1", []string{AttrProcessPID, AttrProcessExecutable}, "llm_engine",
			"1 for each process of a worker on the collector's own host, at most 64; the worker's GPUs are those that have one of them."},
	}
}
