package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"fmt"
	"slices"
	"strings"
)

// hint is an input that is off, and what turns it on. Hints name no process and no agent, so that there are few.
type hint struct{ source, hint string }

// hints says what would tell more. The caller holds the lock.
func (f *fleet) hints() (all []hint) {
	add := func(source, format string, args ...any) {
		h := hint{source, fmt.Sprintf(format, args...)}
		if !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	for _, p := range f.silent {
		f.silence(p.Environment, p.Engine, add)
	}
	if f.blind && len(f.agents) > 0 {
		add("nixl.owner", "Not every process can be looked at, so some agents have no owner: give the collector CAP_SYS_PTRACE and "+
			"CAP_DAC_READ_SEARCH, and in a container the host's PID namespace")
	}
	if f.refuse["permission"] > 0 {
		add("nixl.files", "Some files of NIXL belong to another user: run the collector as the engine's user or with CAP_DAC_OVERRIDE")
	}
	if f.refuse["unsupported"] > 0 {
		add("nixl.version", "Some rings have a version that is not known: sources::buffer::allow_unknown_version reads what is common")
	}
	if f.refuse["initialising"] > 0 {
		add("nixl.ring", "A ring was begun and never made: NIXL_TELEMETRY_BUFFER_SIZE must be a power of two")
	}
	for _, a := range f.agents {
		if a.ring == nil || a.state == down {
			continue
		}
		if a.policy.denied != nil && !a.ring.Owned() {
			add("nixl.ring", "A ring can only be observed, and stays full once it is: run the collector as the engine's user or with "+
				"CAP_DAC_OVERRIDE, and let no second collector read it")
		}
		if a.policy.full && a.ring.Owned() {
			add("nixl.ring.size", "A ring filled up between two polls: set NIXL_TELEMETRY_BUFFER_SIZE=%d for the engine",
				2*a.ring.Geometry().Capacity)
		}
	}
	return all
}

// silence explains why a process with NIXL has no telemetry here.
func (f *fleet) silence(environment map[string]string, engine string, add func(string, string, ...any)) {
	const source = "nixl.telemetry"
	directories := f.cfg.Sources.Buffer.Directories
	if environment == nil || len(directories) == 0 {
		return
	}
	exporter := environment["NIXL_TELEMETRY_EXPORTER"]
	dir, hasDir := environment["NIXL_TELEMETRY_DIR"]
	switch {
	case isOff(environment["NIXL_TELEMETRY_ENABLE"]) && engine == "vllm":
		add(source, "A vLLM has NIXL_TELEMETRY_ENABLE off, with which it counts transfers that succeeded as failed: unset it, and set "+
			"NIXL_TELEMETRY_DIR=%s", directories[0])
	case isOff(environment["NIXL_TELEMETRY_ENABLE"]):
		add(source, "An engine has NIXL_TELEMETRY_ENABLE off: set it to y, and NIXL_TELEMETRY_DIR=%s", directories[0])
	case strings.EqualFold(exporter, "prometheus_mp"):
		if len(f.cfg.Sources.Multiproc.Directories) == 0 {
			add(source, "An engine keeps prometheus_mp stores: put its NIXL_TELEMETRY_MULTIPROC_DIR into sources::multiproc::directories")
		}
	case exporter != "" && !strings.EqualFold(exporter, "BUFFER"):
		add(source, "An engine exports NIXL telemetry with %s: scrape it, or unset NIXL_TELEMETRY_EXPORTER and set NIXL_TELEMETRY_DIR=%s",
			strings.ToLower(exporter[:min(len(exporter), 16)]), directories[0])
	case !hasDir || dir == "":
		add(source, "An engine writes no NIXL telemetry: set NIXL_TELEMETRY_ENABLE=y and NIXL_TELEMETRY_DIR=%s for it, and make the "+
			"directory before it starts", directories[0])
	case !slices.Contains(directories, dir):
		add(source, "An engine writes NIXL telemetry elsewhere: put its NIXL_TELEMETRY_DIR into sources::buffer::directories")
	}
}

// isOff reads a switch as NIXL does.
func isOff(value string) bool {
	switch strings.ToLower(value) {
	case "n", "no", "off", "false", "disable", "0":
		return true
	}
	return false
}
