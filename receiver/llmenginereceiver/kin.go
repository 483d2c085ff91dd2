package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
)

// maxKin bounds the processes of one worker.
const maxKin = 64

// kin are the processes behind an endpoint. The zero kin is that of an endpoint nobody has looked at.
type kin struct {
	whole []hostproc.Process         // all that may compute
	ranks map[int][]hostproc.Process // by data-parallel rank, where titles tell it
	hint  string                     // why they cannot be told, and what helps; empty when they can

	publishes   bool // KV events
	publication publication
}

// What helps where processes cannot be told.
const (
	hintPrivileges = "The process that listens at the endpoint is not in sight, so its GPUs are not known: give the collector CAP_SYS_PTRACE " +
		"and CAP_DAC_READ_SEARCH, in a container the host's PID namespace as well, or name the GPUs under gpus of phase_attribution"
	hintElsewhere = "The engine listens in another network namespace, so its process is not known: scrape it at its own address by " +
		"Kubernetes, or name its GPUs under gpus of phase_attribution"
	hintRanks = "The engine's processes do not tell their data-parallel ranks, so the GPUs of a rank are not known: install setproctitle " +
		"beside the engine, or name them under gpus of phase_attribution"
)

// findKin looks for the processes behind an endpoint: those that listen there, with what started them for one engine, and all that
// descend from these.
func findKin(t *hostproc.Table, r *hostproc.Reader, address netip.Addr, port int) kin {
	holders, listens := t.Listening(address, port)
	switch {
	case !listens:
		return kin{hint: hintElsewhere}
	case len(holders) == 0:
		return kin{hint: hintPrivileges}
	}
	var found finding
	for _, pid := range holders {
		for _, p := range t.Descendants(engineRoot(t, r, pid)) {
			found.add(p, r.Command(p.PID))
		}
	}
	if found.forwards {
		return kin{hint: hintElsewhere}
	}
	return found.kin()
}

// finding gathers the processes of an engine, parents before their children.
type finding struct {
	seen     map[int]place
	all      []hostproc.Process
	forwards bool // a program that hands connections on to another network namespace

	publishes   bool
	publication publication
}

// place is where a process is in the engine.
type place struct {
	core bool // an engine core, or a worker of one
	rank int  // data-parallel; -1 when not told
}

func (f *finding) add(p hostproc.Process, command []string) {
	if f.seen == nil {
		f.seen = make(map[int]place)
	}
	if _, twice := f.seen[p.PID]; twice {
		return
	}
	at, known := f.seen[p.Parent]
	if !known {
		at.rank = -1
	}
	title := ""
	if len(command) == 1 {
		title, _, _ = strings.Cut(command[0], " ")
	}
	at.core = at.core || isCore(title)
	if rank, ok := rankInTitle(title); ok {
		at.rank = rank
	}
	f.seen[p.PID] = at
	f.all = append(f.all, p)
	f.forwards = f.forwards || slices.Contains(forwarders(), program(command))
	if !f.publishes {
		f.publication, f.publishes = publicationOf(command)
	}
}

// kin keeps the engine cores where titles tell them: an API server may have a context on a GPU that it does not compute on.
func (f *finding) kin() kin {
	k := kin{ranks: make(map[int][]hostproc.Process), publishes: f.publishes, publication: f.publication}
	cored := slices.ContainsFunc(f.all, func(p hostproc.Process) bool { return f.seen[p.PID].core })
	for _, p := range f.all {
		at := f.seen[p.PID]
		if cored && !at.core {
			continue
		}
		k.whole = append(k.whole, p)
		if at.rank >= 0 {
			k.ranks[at.rank] = append(k.ranks[at.rank], p)
		}
	}
	return k
}

// of returns the processes of a worker, which has a rank or is all of the endpoint; else what helps.
func (k *kin) of(rank int, ranked bool) (processes []hostproc.Process, hint string) {
	switch {
	case k.hint != "":
		return nil, k.hint
	case !ranked:
		processes = k.whole
	case len(k.ranks) == 0 && len(k.whole) > 0:
		return nil, hintRanks
	default:
		processes = k.ranks[rank]
	}
	return processes[:min(len(processes), maxKin)], ""
}

// engineRoot climbs from a process that listens to the one that started the whole engine: another that shares the socket is below it
// anyway, and launchers start the ranks of one engine side by side.
func engineRoot(t *hostproc.Table, r *hostproc.Reader, pid int) int {
	p, _ := t.Process(pid)
	parent, ok := t.Process(p.Parent)
	for ok && parent.PID > 1 && slices.Contains(launchers(), program(r.Command(parent.PID))) {
		pid = parent.PID
		parent, ok = t.Process(parent.Parent)
	}
	return pid
}

// launchers start the processes of one engine: MPI of TensorRT-LLM and Triton, and that of Text Generation Inference.
func launchers() []string {
	return []string{"mpirun", "mpiexec", "orterun", "prterun", "orted", "prted", "hydra_pmi_proxy", "mpiexec.hydra", "text-generation-launcher"}
}

// forwarders listen at the ports that containers publish.
func forwarders() []string {
	return []string{"docker-proxy", "rootlessport", "slirp4netns", "pasta", "gvproxy"}
}

// program is the name of a command, without its path.
func program(command []string) string {
	if len(command) == 0 {
		return ""
	}
	return path.Base(command[0])
}

// isCore reads a title as vLLM and SGLang give them (vllm/utils/system_utils.py, sglang/srt/managers/scheduler.py).
func isCore(title string) bool {
	for _, prefix := range []string{"VLLM::EngineCore", "VLLM::Worker", "sglang::scheduler"} {
		if strings.HasPrefix(title, prefix) {
			return true
		}
	}
	return false
}

// rankInTitle reads the data-parallel rank of VLLM::EngineCore_DP1 or sglang::scheduler_DP1_TP0.
func rankInTitle(title string) (rank int, ok bool) {
	_, after, ok := strings.Cut(title, "_DP")
	if !ok || !strings.Contains(title, "::") {
		return 0, false
	}
	digits, _, _ := strings.Cut(after, "_")
	n, err := strconv.ParseUint(digits, 10, 16)
	return int(n), err == nil
}
