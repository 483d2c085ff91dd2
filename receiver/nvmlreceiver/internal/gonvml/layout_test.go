//go:build cgo && linux

package gonvml

import (
	"testing"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
)

func TestLayoutsAreThoseOfNVML(t *testing.T) {
	metric, sample, event, value := layouts()
	assert.Equal(t, unsafe.Sizeof(nvml.GpmMetric{}), metric)
	assert.Equal(t, unsafe.Offsetof(nvml.GpmMetric{}.Value), value)
	assert.Equal(t, unsafe.Sizeof(nvml.Sample{}), sample)
	data := nvml.EventData{} // whose device is an interface where the library has a pointer
	assert.Equal(t, unsafe.Sizeof(data)-unsafe.Sizeof(data.Device)+unsafe.Sizeof(uintptr(0)), event)
	assert.LessOrEqual(t, len(nvml.GpmMetricsGetType{}.Metrics), gpmRoom, "the library must find room for every metric that it knows")
}
