package nixlreceiver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
)

// writer is an agent that writes a ring of V4, as far as these tests need it: header of 40 bytes, events of 16.
type writer struct {
	t    testing.TB
	path string
	mem  []byte
	mask uint64
}

func newWriter(t testing.TB, dir, name string, capacity int) *writer {
	t.Helper()
	w := &writer{t: t, path: filepath.Join(dir, name), mask: uint64(capacity - 1)}
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_RDWR, 0o644)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(int64(40+16*capacity)))
	w.mem, err = unix.Mmap(int(f.Fd()), 0, 40+16*capacity, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(w.end)
	clear(w.mem[:24])
	binary.NativeEndian.PutUint64(w.mem[24:], uint64(capacity))
	binary.NativeEndian.PutUint64(w.mem[32:], w.mask)
	w.version(4)
	return w
}

func (w *writer) version(v uint32) {
	binary.NativeEndian.PutUint32(w.mem[16:], v)
	binary.NativeEndian.PutUint32(w.mem[20:], v)
}

// end unmaps the ring, as the death of its process does.
func (w *writer) end() {
	if w.mem != nil {
		assert.NoError(w.t, unix.Munmap(w.mem))
		w.mem = nil
	}
}

func (w *writer) word(at int) *uint64 { return (*uint64)(unsafe.Pointer(&w.mem[at])) }

func (w *writer) event(kind uint32, value uint64) {
	at := atomic.LoadUint64(w.word(0))
	next := (at + 1) & w.mask
	if next == atomic.LoadUint64(w.word(8)) {
		return // full
	}
	e := w.mem[40+16*at:]
	binary.NativeEndian.PutUint64(e, uint64(kind)|0xdead<<32)
	binary.NativeEndian.PutUint64(e[8:], value)
	atomic.StoreUint64(w.word(0), next)
}

// transfer is 250 us of 1 MiB, 12 us of it to post.
func (w *writer) transfer(write bool) {
	w.event(7, 12)
	w.event(6, 250)
	if write {
		w.event(0, 1<<20)
		w.event(2, 1)
		return
	}
	w.event(1, 1<<20)
	w.event(3, 1)
}

// steal takes all events, as another reader does.
func (w *writer) steal() { atomic.StoreUint64(w.word(8), atomic.LoadUint64(w.word(0))) }

func (w *writer) id() nixl.FileID {
	info, err := os.Lstat(w.path)
	require.NoError(w.t, err)
	return nixl.IDOf(info)
}

// rig is a fleet whose loops the test runs by hand.
type rig struct {
	t         testing.TB
	cfg       *Config
	dir       string
	proc      fstest.MapFS
	sys       fstest.MapFS
	now       time.Time
	monotonic int64 // the clock of stores
	logs      *observer.ObservedLogs
	telemetry *componenttest.Telemetry
	*collector
	scratch *nixl.Scratch
}

func newRig(t testing.TB, change func(*Config)) *rig {
	r := &rig{
		t: t, cfg: createDefaultConfig().(*Config), dir: t.TempDir(), now: time.Unix(1_800_000_000, 0), scratch: new(nixl.Scratch),
		proc: fstest.MapFS{"2/stat": {Data: []byte("2 (kthreadd) S 0 " + strings.Repeat("0 ", 17) + "0 0")}},
		sys:  make(fstest.MapFS), telemetry: componenttest.NewTelemetry(),
	}
	t.Cleanup(func() { assert.NoError(t, r.telemetry.Shutdown(context.Background())) })
	r.cfg.Sources.Buffer.Directories = []string{r.dir}
	if change != nil {
		change(r.cfg)
	}
	r.begin(nil)
	return r
}

// begin makes a fleet that knows of nothing yet, as a collector that starts.
func (r *rig) begin(saved *checkpoint) {
	core, logs := observer.New(zapcore.InfoLevel)
	builder, err := metadata.NewTelemetryBuilder(r.telemetry.NewTelemetrySettings())
	require.NoError(r.t, err)
	r.logs = logs
	f := newFleet(r.cfg, newRenderer("h", "1"), newReporter(builder, zap.New(core)), owner.New(r.proc), saved, func() int64 { return r.monotonic })
	r.collector = &collector{fleet: f, links: newLinks(r.sys)}
	r.t.Cleanup(f.close)
}

// run gives a process the files of writers.
func (r *rig) run(pid int, start int, writers ...*writer) {
	at := fmt.Sprint(pid)
	maps := "7f00-7f01 r-xp 00000000 08:01 77 /usr/lib/libnixl.so\n"
	for _, w := range writers {
		id := w.id()
		maps += fmt.Sprintf("7f10-7f20 rw-s 00000000 %02x:%02x %d %s\n", unix.Major(id.Device), unix.Minor(id.Device), id.Inode, w.path)
	}
	stat := fmt.Sprintf("%d (python3) S 1 %s%d 0", pid, strings.Repeat("0 ", 17), start)
	for name, content := range map[string]string{
		"stat": stat, "maps": maps, "cmdline": "VLLM::Worker_TP0", "environ": "UCX_TLS=rc\x00NIXL_TELEMETRY_DIR=" + r.dir + "\x00",
		"cgroup": "0::/system.slice\n",
	} {
		r.proc[at+"/"+name] = &fstest.MapFile{Data: []byte(content)}
	}
	r.proc[at+"/fd"] = &fstest.MapFile{Mode: fs.ModeDir | 0o500}
	r.wire(pid, "net:[1]", 0)
}

// verbs gives a process an open RDMA device.
func (r *rig) verbs(pid int) {
	delete(r.proc, fmt.Sprint(pid, "/fd"))
	r.proc[fmt.Sprint(pid, "/fd/9")] = &fstest.MapFile{Data: []byte("/dev/infiniband/uverbs0"), Mode: fs.ModeSymlink}
}

// wire puts a process into a network namespace, whose loopback and eth0, eth1, ... have sent that many bytes.
func (r *rig) wire(pid int, namespace string, loopback uint64, eth ...uint64) {
	dev := "Inter-|\n face |\n"
	line := func(name string, receive, transmit uint64) {
		dev += fmt.Sprintf("%6s: %d 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0\n", name, receive, transmit)
	}
	line("lo", loopback, loopback)
	for i, n := range eth {
		line(fmt.Sprint("eth", i), 0, n)
	}
	r.proc[fmt.Sprint(pid, "/net/dev")] = &fstest.MapFile{Data: []byte(dev)}
	r.proc[fmt.Sprint(pid, "/ns/net")] = &fstest.MapFile{Data: []byte(namespace), Mode: fs.ModeSymlink}
}

func (r *rig) stop(pid int) {
	for name := range r.proc {
		if strings.HasPrefix(name, fmt.Sprint(pid)+"/") {
			delete(r.proc, name)
		}
	}
}

// after lets time pass with polls and surveys as they are due, a poll last.
func (r *rig) after(d time.Duration) {
	for end := r.now.Add(d); r.now.Before(end); {
		r.now = r.now.Add(min(r.cfg.RescanInterval, end.Sub(r.now)))
		r.poll()
		r.survey()
	}
	r.poll()
}

// poll reads all rings, the idle ones as well.
func (r *rig) poll() {
	for range r.fleet.passes() {
		r.fleet.poll(r.now, r.scratch)
	}
}

func (r *rig) survey() { r.fleet.survey(r.now) }

// look surveys, polls and collects.
func (r *rig) look() points {
	r.survey()
	r.poll()
	return r.told()
}

// told collects and delivers.
func (r *rig) told() points {
	all := flatten(r.collect(r.now))
	r.fleet.delivered()
	return all
}

func (r *rig) messages() (all []string) {
	for _, e := range r.logs.All() {
		all = append(all, e.Message)
	}
	return all
}

// counted is the sum of an own metric over its attributes.
func (r *rig) counted(name string) (n int64) {
	m, err := r.telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		n += p.Value
	}
	return n
}

// point is one data point.
type point struct {
	name       string
	metric     pmetric.Metric
	resource   map[string]any
	attributes map[string]any
	start      time.Time
	value      float64 // of a histogram its count
	sum        float64
}

type points []point

func flatten(m pmetric.Metrics) (all points) {
	for _, rm := range m.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				add := func(p pcommon.Map, start pcommon.Timestamp, value, sum float64) {
					all = append(all, point{metric.Name(), metric, rm.Resource().Attributes().AsRaw(), p.AsRaw(), start.AsTime(), value, sum})
				}
				numbers := func(points pmetric.NumberDataPointSlice) {
					for _, p := range points.All() {
						add(p.Attributes(), p.StartTimestamp(), p.DoubleValue()+float64(p.IntValue()), 0)
					}
				}
				switch metric.Type() {
				case pmetric.MetricTypeGauge:
					numbers(metric.Gauge().DataPoints())
				case pmetric.MetricTypeSum:
					numbers(metric.Sum().DataPoints())
				case pmetric.MetricTypeHistogram:
					for _, p := range metric.Histogram().DataPoints().All() {
						add(p.Attributes(), p.StartTimestamp(), float64(p.Count()), p.Sum())
					}
				}
			}
		}
	}
	return all
}

// of returns the points of a metric whose attributes, or their resource's, have all of the pairs.
func (all points) of(name string, pairs ...any) (found points) {
	for _, p := range all {
		ok := p.name == name
		for i := 0; ok && i < len(pairs); i += 2 {
			value, has := p.attributes[pairs[i].(string)]
			if !has {
				value = p.resource[pairs[i].(string)]
			}
			ok = value == pairs[i+1]
		}
		if ok {
			found = append(found, p)
		}
	}
	return found
}

// value is that of the only such point.
func (all points) value(t *testing.T, name string, pairs ...any) float64 {
	t.Helper()
	found := all.of(name, pairs...)
	require.Len(t, found, 1, "%s %v", name, pairs)
	return found[0].value
}
