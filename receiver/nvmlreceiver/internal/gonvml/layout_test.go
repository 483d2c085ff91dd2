//go:build cgo && linux

package gonvml

import (
	"testing"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/assert"
)

func TestLayoutsAreThoseOfNVML(t *testing.T) {
	metric, sample, value := layouts()
	assert.Equal(t, unsafe.Sizeof(nvml.GpmMetric{}), metric)
	assert.Equal(t, unsafe.Offsetof(nvml.GpmMetric{}.Value), value)
	assert.Equal(t, unsafe.Sizeof(nvml.Sample{}), sample)
	assert.LessOrEqual(t, len(nvml.GpmMetricsGetType{}.Metrics), gpmRoom, "the library must find room for every metric that it knows")
}
