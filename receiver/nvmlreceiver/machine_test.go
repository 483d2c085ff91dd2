//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"testing"
)

func TestDebug(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	r := b.observe(func(c *Config) { c.Preset = PresetFull })
	r.batches(6)
	r.stop()
	pts := r.last()
	for s, dp := range pts {
		fmt.Println(s, value(dp))
	}
	for _, l := range r.log.All() {
		fmt.Println(l.Level, l.Message, l.ContextMap())
	}
	fmt.Println(r.host.last())
	fmt.Println(len(pts))
}
