package link // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// errorCounters are counters of faults and congestion in counters/ and hw_counters/, as mlx5, bnxt_re, irdma and efa name them.
func errorCounters() map[string]bool {
	all := make(map[string]bool)
	for _, name := range strings.Fields(`
		symbol_error link_error_recovery link_downed port_rcv_errors port_rcv_remote_physical_errors port_xmit_discards
		port_xmit_wait local_link_integrity_errors excessive_buffer_overrun_errors VL15_dropped
		out_of_sequence packet_seq_err local_ack_timeout_err rnr_nak_retry_err out_of_buffer duplicate_request implied_nak_seq_err
		np_cnp_sent np_ecn_marked_roce_packets rp_cnp_handled rp_cnp_ignored roce_adp_retrans roce_adp_retrans_to roce_slow_restart
		req_cqe_error resp_cqe_error req_remote_access_errors resp_remote_access_errors
		rx_drops retrans_bytes retrans_pkts retrans_timeout_events impaired_remote_conn_events unresponsive_remote_events
		rdma_read_wr_err rdma_write_wr_err`) {
		all[name] = true
	}
	return all
}

func readPorts(sys fs.FS) (links []Link) {
	const class = "class/infiniband"
	faults := errorCounters()
	for _, device := range names(sys, class) {
		for _, port := range names(sys, path.Join(class, device, "ports")) {
			dir := path.Join(class, device, "ports", port)
			l := Link{
				Name: device + ":" + port, Up: strings.HasPrefix(text(sys, path.Join(dir, "state")), "4:"),
				Rate: rate(text(sys, path.Join(dir, "rate"))),
			}
			if l.count(sys, dir, faults) && len(links) < maxLinks {
				links = append(links, l)
			}
		}
	}
	return links
}

// count reads the counters of a port, and says whether it has any.
func (l *Link) count(sys fs.FS, dir string, faults map[string]bool) bool {
	values := make(map[string]uint64)
	for _, set := range []string{"counters", "hw_counters"} {
		for _, name := range names(sys, path.Join(dir, set)) {
			v, err := number(sys, path.Join(dir, set, name))
			if err != nil {
				continue
			}
			values[name] = v
			if faults[name] {
				l.Errors = append(l.Errors, Counter{name, v})
			}
		}
	}
	l.Served = values["rx_read_requests"] + values["rx_write_requests"]
	const word = 4 // port_xmit_data and port_rcv_data count words of four bytes
	transmit, hasTransmit := values["port_xmit_data"]
	receive, hasReceive := values["port_rcv_data"]
	if hasTransmit && hasReceive {
		l.Kind, l.Transmit, l.Receive = InfiniBand, transmit*word, receive*word
		if text(sys, path.Join(dir, "link_layer")) == "Ethernet" {
			l.Kind = RoCE
		}
		return true
	}
	if _, ok := values["tx_bytes"]; !ok {
		return false
	}
	// Whether tx_bytes and rx_bytes of EFA have the bytes of RDMA operations in them is not said, so the larger one counts.
	l.Kind = EFA
	l.Transmit = max(values["tx_bytes"], values["rdma_write_bytes"]+values["rdma_read_resp_bytes"])
	l.Receive = max(values["rx_bytes"], values["rdma_read_bytes"]+values["rdma_write_recv_bytes"])
	return true
}

// rate reads "400 Gb/sec (4X NDR)" as bytes per second; 0 when it is something else.
func rate(s string) float64 {
	fields := strings.Fields(s)
	if len(fields) < 2 || fields[1] != "Gb/sec" {
		return 0
	}
	gigabits, err := strconv.ParseFloat(fields[0], 64)
	if err != nil || !(gigabits > 0) || gigabits > 1e6 {
		return 0
	}
	return gigabits * 1e9 / 8
}
