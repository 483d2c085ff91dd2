//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// The bandwidth of a link that is refused at first is asked for until it is told, and then no more.
func TestARefusedBandwidthIsAskedForAgain(t *testing.T) {
	for _, test := range []struct {
		function string
		answer   sim.Return
		unit     string
	}{
		{"nvmlDeviceGetMaxPcieLinkGeneration", sim.NoPermission, "pcie"},
		{"nvmlDeviceGetMaxPcieLinkGeneration", sim.Unknown, "pcie"},
		{"nvmlDeviceGetFieldValues", sim.NoPermission, "nvlink"},
		{"nvmlDeviceGetFieldValues", sim.Unknown, "nvlink"},
	} {
		t.Run(fmt.Sprint(test.function, test.answer), func(t *testing.T) {
			l := newMachine(t, "h100", nil)
			l.fault(test.function, test.answer)
			l.begin()
			for range 3 {
				assert.Empty(t, linkTimes(l.collect(time.Second), test.unit))
			}
			require.NoError(t, l.state.ClearFaults())
			for range 5 {
				l.collect(time.Minute)
			}
			assert.NotEmpty(t, linkTimes(l.collect(time.Second), test.unit))
			assert.True(t, l.worker.gpu.linked)
			asked := l.state.Calls()["nvmlDeviceGetMaxPcieLinkGeneration"]
			l.collect(time.Minute)
			assert.Equal(t, asked, l.state.Calls()["nvmlDeviceGetMaxPcieLinkGeneration"])
			l.end()
		})
	}
}

// linkTimes are the units of a link that have activity.
func linkTimes(points map[series]pmetric.NumberDataPoint, link string) (units []string) {
	for s := range points {
		if s.metric == signal.GPUActivityTime && strings.HasPrefix(s.attributes, link) {
			units = append(units, s.attributes)
		}
	}
	return units
}

// speedless answers the speed of NVLink with a code of its own.
type speedless struct {
	gpu.Device
	code  gpu.Code
	asked int
}

func (d *speedless) Fields(fields []gpu.Field) error {
	err := d.Device.Fields(fields)
	for i := range fields {
		if fields[i].ID == gpu.FieldNVLinkSpeed {
			d.asked++
			fields[i].Code = d.code
		}
	}
	return err
}

// A call that succeeds may still refuse the one value: for good, for a while, or once.
func TestABandwidthMayBeRefusedAlone(t *testing.T) {
	for code, asked := range map[gpu.Code]int{
		gpu.NotSupported: 1, gpu.FunctionNotFound: 1, gpu.DeprecatedFunction: 1,
		gpu.NoPermission: 2, gpu.InvalidArgument: 2, // at the start and after the first rest
		gpu.Unknown: 4, gpu.Timeout: 4,
	} {
		t.Run(code.Error(), func(t *testing.T) {
			l := newMachine(t, "h100", func(c *Config) { c.DiscoveryInterval = 3 * time.Second })
			l.begin()
			w := l.worker
			w.close()
			w.ledger.speeds = linkSpeeds{}
			d := &speedless{Device: w.gpu.device, code: code}
			w.gpu = w.reader(d)
			require.NoError(t, w.gpu.open())
			for range 3 {
				assert.Empty(t, linkTimes(l.collect(time.Second), "nvlink"))
			}
			assert.Equal(t, asked, d.asked)
			assert.Equal(t, asked == 1, w.gpu.linked)
			d.code = gpu.OK
			l.collect(time.Minute)
			l.collect(time.Minute)
			assert.Equal(t, asked > 1, len(linkTimes(l.collect(time.Second), "nvlink")) > 0)
			l.end()
		})
	}
}
