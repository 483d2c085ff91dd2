package nixlreceiver

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestThePointsOfAnAgentAtWorst: every error, every histogram in every direction, and every evidence of its road.
func TestThePointsOfAnAgentAtWorst(t *testing.T) {
	r, log := logged(t)
	r.cfg.Sources.Buffer.Mode = ModeConsume
	w := newWriter(t, r.dir, "a", 256)
	r.run(10, 1, w)
	host(r.sys, 1<<40)
	r.look()
	w.transfer(true)
	for range 10 {
		w.transfer(false)
	}
	w.event(7, 12) // of no known direction
	w.event(6, 250)
	for kind := uint32(8); kind <= 19; kind++ {
		w.event(kind, 1)
	}
	w.event(0, 10<<20)
	said := ""
	for _, lanes := range []string{"rc_mlx5/mlx5_0:1", "tcp/eth0", "cuda_ipc/cuda", "unheard_of/x"} {
		said += table(r.now, 10, "a", "write by ucp_put* from", lanes) + table(r.now, 10, "a", "read by ucp_get* into", lanes)
	}
	write(t, log, said)
	host(r.sys, 1<<40+11<<20)
	r.now = r.now.Add(5 * time.Second)
	count := make(map[string]int)
	total, port := 0, 0
	for _, p := range r.look() {
		switch {
		case p.resource[signal.AttrNIXLAgentName] != nil:
			count[p.name]++
			total++
		case p.attributes[signal.AttrHWID] != nil:
			port++
		}
	}
	assert.Equal(t, map[string]int{
		signal.NIXLTransferIO: 2, signal.NIXLTransferCount: 2, signal.NIXLBusyTime: 1,
		signal.NIXLTransferTime: 3, signal.NIXLTransferPost: 3, signal.NIXLTransferSize: 2, signal.NIXLThroughput: 2,
		signal.NIXLMemoryRegister: 1, signal.NIXLMemoryRelease: 1, signal.NIXLMemory: 1,
		signal.NIXLErrors: 12, signal.NIXLEventsDropped: 4, signal.NIXLContention: 1, signal.NIXLRingUsage: 1,
		signal.NIXLAgentUp: 1, signal.NIXLAgentRestarts: 1, signal.NIXLLastEventAge: 1, signal.NIXLAgentInfo: 1,
		signal.NIXLTransport: 10,
	}, count)
	assert.Equal(t, 50, total, "what README.md says")
	assert.Equal(t, 7, port, "six, and one for its one counter of errors")
}

// TestThePointsOfAPortAtWorst: InfiniBand's counters and those of mlx5.
func TestThePointsOfAPortAtWorst(t *testing.T) {
	r := newRig(t, nil)
	host(r.sys, 1<<20)
	for _, name := range []string{
		"symbol_error", "link_error_recovery", "link_downed", "port_rcv_errors", "port_rcv_remote_physical_errors", "port_xmit_discards",
		"port_xmit_wait", "local_link_integrity_errors", "excessive_buffer_overrun_errors", "VL15_dropped",
	} {
		r.sys["class/infiniband/mlx5_0/ports/1/counters/"+name] = &fstest.MapFile{Data: []byte("1\n")}
	}
	for _, name := range []string{
		"packet_seq_err", "local_ack_timeout_err", "rnr_nak_retry_err", "out_of_buffer", "duplicate_request", "implied_nak_seq_err",
		"np_cnp_sent", "np_ecn_marked_roce_packets", "rp_cnp_handled", "rp_cnp_ignored", "roce_adp_retrans", "roce_adp_retrans_to",
		"roce_slow_restart", "req_cqe_error", "resp_cqe_error", "req_remote_access_errors", "resp_remote_access_errors", "not_an_error",
	} {
		r.sys["class/infiniband/mlx5_0/ports/1/hw_counters/"+name] = &fstest.MapFile{Data: []byte("1\n")}
	}
	r.look()
	r.now = r.now.Add(5 * time.Second)
	n := 0
	for _, p := range r.look() {
		if p.attributes[signal.AttrHWID] != nil {
			n++
		}
	}
	assert.Equal(t, 34, n, "what README.md says")
}
