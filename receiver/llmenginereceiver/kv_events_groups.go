package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// groups writes what there is of KV cache groups, if there are several.
func (s *kvSnapshot) groups(w *pointWriter) {
	all := &s.totals.Groups
	if !all[1].Used {
		return
	}
	for i := range all {
		g := &all[i]
		if !g.Used {
			return
		}
		put := func(name string, v uint64) {
			p := w.number(name, signal.AttrKVGroup, strconv.Itoa(i))
			p.Attributes().PutStr(signal.AttrKVPool, g.Kind.String())
			p.SetIntValue(int64(v))
		}
		if s.state.KnownTiers[kvcache.GPU] {
			put(signal.KVGroupResident, uint64(max(0, g.Resident)))
		}
		put(signal.KVGroupRemoved, g.Removed)
		put(signal.KVGroupFound, g.Found)
		put(signal.KVGroupBlockSize, uint64(max(0, g.BlockTokens)))
		if g.Kind == kvcache.SlidingWindow {
			put(signal.KVGroupPassed, g.Passed)
			put(signal.KVGroupWindow, uint64(max(0, g.Window)))
		}
	}
}

// adapters writes what there is of LoRA adapters, if there are any.
func (s *kvSnapshot) adapters(w *pointWriter) {
	all := &s.totals.Adapters
	if !all[1].Used {
		return
	}
	for i := range all {
		a := &all[i]
		name := a.Name
		switch {
		case i == 0:
			name = signal.KVLoRABase
		case !a.Used:
			return
		}
		if s.state.KnownTiers[kvcache.GPU] {
			w.count(signal.KVAdapterResident, signal.AttrLoRAName, name, uint64(max(0, a.Resident)))
		}
		w.count(signal.KVAdapterStored, signal.AttrLoRAName, name, a.Stored)
		w.count(signal.KVAdapterFound, signal.AttrLoRAName, name, a.Found)
	}
}
