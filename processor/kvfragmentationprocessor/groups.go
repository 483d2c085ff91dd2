package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// groupFacts is what is told of a KV cache group; one without a block size is not known.
type groupFacts struct {
	kind          string // of AttrKVPool
	block, window float64
}

// learnGroups takes what a metric says of groups.
func (f *facts) learnGroups(m pmetric.Metric) {
	for _, dp := range points(m).All() {
		i, ok := groupOf(dp.Attributes())
		if !ok || dp.Flags().NoRecordedValue() {
			continue
		}
		if m.Name() == signal.KVGroupWindow {
			f.groups[i].window = derive.Number(dp)
			continue
		}
		f.groups[i].kind, f.groups[i].block = derive.Text(dp.Attributes(), signal.AttrKVPool), derive.Number(dp)
	}
}

// groupOf reads the group of a point.
func groupOf(a pcommon.Map) (int, bool) {
	i, err := strconv.Atoi(derive.Text(a, signal.AttrKVGroup))
	return i, err == nil && i >= 0 && i < kvcache.MaxGroups
}

// layers are the KV cache groups of a worker's model; none where all layers are alike.
type layers []serving.KVGroup

// layers returns the groups, and for each its number. Resident is set where it is known.
func (w *worker) layers(win window.Window) (all layers, numbers []int) {
	for i, g := range w.facts.groups {
		if g.block <= 0 {
			continue
		}
		one := serving.KVGroup{
			BlockSize: g.block, Window: g.window, State: g.kind == signal.PoolMamba, Resident: win.Levels[inGroup+i].Mean,
		}
		if prompts := &w.long.totals[inPromptSize]; g.window > 0 && len(prompts.Counts) > 0 {
			one.Within = serving.MeanWithin(prompts.Bounds, prompts.Counts, w.long.output()/2, one.Reach())
		}
		all = append(all, one)
		numbers = append(numbers, i)
	}
	if len(all) < 2 {
		return nil, nil
	}
	return all, numbers
}

// footprint is how many blocks a prompt takes.
func (l layers) footprint(prompt, block float64) float64 {
	if l == nil {
		return math.Ceil(prompt / block)
	}
	return serving.KVFootprint(l, prompt)
}

// lasts is how many blocks of a request may be not full: one of each group, but for states.
func (l layers) lasts() (n float64) {
	for _, g := range l {
		if !g.State {
			n++
		}
	}
	return n
}

// whole is how many of the blocks that requests hold are of a group that keeps everything.
func (l layers) whole(held, running, length, tail float64) float64 {
	if l == nil {
		return held
	}
	for i, part := range serving.KVHeld(l, held, running, length, tail) {
		if l[i].Window <= 0 && !l[i].State {
			return part
		}
	}
	return held / float64(len(l))
}

// tail is the mean room in tokens of block that a request leaves empty in the last block of a group. Blocks of other sizes are taken to be
// filled to any height.
func (l layers) tail(block, tail float64) float64 {
	n, sum := 0.0, 0.0
	for _, g := range l {
		switch {
		case g.State:
			continue
		case g.BlockSize == block:
			sum += tail
		default:
			sum += serving.KVTail(g.BlockSize, 0, 0, 0) * block / g.BlockSize
		}
		n++
	}
	if n == 0 {
		return tail
	}
	return sum / n
}

// groupUse is what a group's blocks are used for.
type groupUse struct {
	number int
	kind   string
	serving.KVGroupUse
}

// divideGroups divides what running requests hold, and what is cached, by group. Parts of the cache that are larger together than what the
// pool has of it are cut down in proportion, as the pool's own are.
func (w *worker) divideGroups(all layers, numbers []int, p *serving.KVPool, use *serving.KVUse, length float64) (out []groupUse) {
	held := (use.Live + use.TailWaste) / p.BlockSize
	cached := 0.0
	for i, part := range serving.KVHeld(all, held, p.Running, length, p.Tail) {
		g := all[i]
		u := g.Use(part, p.Running, p.Tail*g.BlockSize/p.BlockSize, p.Partial())
		cached += u.Cached
		out = append(out, groupUse{numbers[i], w.facts.groups[numbers[i]].kind, u})
	}
	if room := (use.CachedUseful + use.CachedDead + use.Unattributed) / p.BlockSize; cached > 0 {
		for i := range out {
			out[i].Cached *= room / cached
		}
	}
	return out
}

// emitGroups appends what there is of groups.
func (w *worker) emitGroups(b *derive.Builder, p *pool) {
	size := w.roomSize().bytes * w.facts.blockSize
	for _, g := range p.groups {
		for _, u := range []part{{signal.KVUseLive, g.Live}, {signal.KVUseTailWaste, g.TailWaste}, {signal.KVUseCached, g.Cached}} {
			attributes := []string{signal.AttrKVGroup, strconv.Itoa(g.number), signal.AttrKVPool, g.kind, signal.AttrKVUse, u.name}
			b.Gauge(signal.KVGroupBlocks, u.value, attributes...)
			if size > 0 {
				b.Gauge(signal.KVGroupMemory, u.value*size, attributes...)
			}
		}
	}
}
