package link

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
)

func tree(files map[string]string) fstest.MapFS {
	sys := make(fstest.MapFS)
	for name, content := range files {
		sys[name] = &fstest.MapFile{Data: []byte(content + "\n")}
	}
	return sys
}

func host() map[string]string {
	const mlx, roce, down, efa = "class/infiniband/mlx5_0/ports/1/", "class/infiniband/mlx5_1/ports/1/", "class/infiniband/mlx5_2/ports/1/", "class/infiniband/rdmap0s31/ports/1/"
	return map[string]string{
		mlx + "state": "4: ACTIVE", mlx + "rate": "400 Gb/sec (4X NDR)", mlx + "link_layer": "InfiniBand",
		mlx + "counters/port_xmit_data": "250", mlx + "counters/port_rcv_data": "1000", mlx + "counters/symbol_error": "3",
		mlx + "hw_counters/rx_read_requests": "5", mlx + "hw_counters/rx_write_requests": "6", mlx + "hw_counters/out_of_sequence": "7",
		mlx + "hw_counters/lifespan": "10",

		roce + "state": "4: ACTIVE", roce + "rate": "100 Gb/sec (4X EDR)", roce + "link_layer": "Ethernet",
		roce + "counters/port_xmit_data": "1", roce + "counters/port_rcv_data": "2", roce + "hw_counters/np_cnp_sent": "9",

		down + "state": "1: DOWN", down + "rate": "40 Gb/sec (4X QDR)", down + "link_layer": "InfiniBand",
		down + "counters/port_xmit_data": "0", down + "counters/port_rcv_data": "0",

		efa + "state": "4: ACTIVE", efa + "rate": "100 Gb/sec (4X EDR)", efa + "link_layer": "Unspecified",
		efa + "hw_counters/tx_bytes": "100", efa + "hw_counters/rx_bytes": "200", efa + "hw_counters/rdma_read_bytes": "5000",
		efa + "hw_counters/rx_drops": "1",

		"class/infiniband/broken/ports/1/state": "4: ACTIVE",

		"class/net/eth0/statistics/tx_bytes": "11", "class/net/eth0/statistics/rx_bytes": "12", "class/net/eth0/speed": "25000",
		"class/net/eth0/operstate": "up", "class/net/eth0/device/vendor": "0x15b3",
		"class/net/bond0/statistics/tx_bytes": "11", "class/net/bond0/statistics/rx_bytes": "12", "class/net/bond0/speed": "25000",
		"class/net/lo/statistics/tx_bytes": "1", "class/net/lo/statistics/rx_bytes": "1", "class/net/lo/operstate": "unknown",
		"class/net/bad/statistics/tx_bytes": "x", "class/net/bad/statistics/rx_bytes": "1",
	}
}

func TestEveryKindOfLinkIsRead(t *testing.T) {
	assert.Equal(t, []Link{
		{Name: "mlx5_0:1", Kind: InfiniBand, Up: true, Rate: 50e9, Transmit: 1000, Receive: 4000, Served: 11,
			Errors: []Counter{{"symbol_error", 3}, {"out_of_sequence", 7}}},
		{Name: "mlx5_1:1", Kind: RoCE, Up: true, Rate: 12.5e9, Transmit: 4, Receive: 8, Errors: []Counter{{"np_cnp_sent", 9}}},
		{Name: "mlx5_2:1", Kind: InfiniBand, Rate: 5e9},
		{Name: "rdmap0s31:1", Kind: EFA, Up: true, Rate: 12.5e9, Transmit: 100, Receive: 5000, Errors: []Counter{{"rx_drops", 1}}},
		{Name: "eth0", Kind: Ethernet, Up: true, Rate: 3.125e9, Transmit: 11, Receive: 12},
		{Name: "lo", Kind: Loopback, Up: true, Transmit: 1, Receive: 1},
	}, Read(tree(host())))
}

func TestAContainerHasVirtualInterfacesOnly(t *testing.T) {
	links := Read(tree(map[string]string{
		"class/net/eth0/statistics/tx_bytes": "1", "class/net/eth0/statistics/rx_bytes": "2", "class/net/eth0/speed": "-1",
	}))
	assert.Equal(t, []Link{{Name: "eth0", Kind: Ethernet, Up: true, Transmit: 1, Receive: 2}}, links)
}

func TestAHostWithoutLinks(t *testing.T) {
	assert.Empty(t, Read(tree(nil)))
}

func TestRates(t *testing.T) {
	for s, want := range map[string]float64{
		"400 Gb/sec (4X NDR)": 50e9, "2.5 Gb/sec (1X SDR)": 312.5e6, "": 0, "fast": 0, "-1 Gb/sec": 0, "NaN Gb/sec": 0, "9 Mb/sec": 0,
	} {
		assert.Equal(t, want, rate(s), s)
	}
}
