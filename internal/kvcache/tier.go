package kvcache

// Tier is where a block lies.
type Tier uint8

// The tiers.
const (
	GPU Tier = iota
	CPU
	Disk
	External
	tierCount
)

// Tiers is the number of tiers.
const Tiers = int(tierCount)

// String is the value of llm.cache.tier.
func (t Tier) String() string {
	return [Tiers]string{"device", "host", "disk", "remote"}[t&(tierCount-1)]
}

// Cause says why a stored block was not in the GPU's cache.
type Cause uint8

// The causes.
const (
	// Compulsory: not seen within the horizon of the filter.
	Compulsory Cause = iota
	// Capacity: it had been there and was evicted.
	Capacity
	// Reset: it had been there before the cache was cleared or the engine restarted.
	Reset
	// Loaded: a lower tier held it, so it was loaded and not computed.
	Loaded
	// Concurrent: it was there already; two requests computed it at the same time.
	Concurrent
	// Generated: it holds output of the model that nobody had asked for yet. It is no miss.
	Generated
	// Unknown: events were lost, so nobody can tell.
	Unknown
	causeCount
)

// Causes is the number of causes.
const Causes = int(causeCount)

func (c Cause) String() string {
	return [Causes]string{"compulsory", "capacity", "reset", "loaded", "concurrent", "generated", "unknown"}[c]
}
