package nixl

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkTelemetry tells of transfers, four events each, and flushes every 256.
func benchmarkTelemetry(b *testing.B, t Telemetry, after func()) {
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		t.Transfer(oneMiB)
		if i%256 == 255 {
			now = now.Add(time.Second)
			t.Flush(now)
			after()
		}
	}
	require.Zero(b, t.Counts().StagingDropped+t.Counts().Lost)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(4*b.N), "ns/event")
}

func BenchmarkRing(b *testing.B) {
	for _, l := range []Layout{V1, V2, V4, V5} {
		b.Run(l.String(), func(b *testing.B) {
			r, err := Create(Options{Dir: b.TempDir(), Agent: "a", Layout: l})
			require.NoError(b, err)
			defer func() { require.NoError(b, r.Close()) }()
			benchmarkTelemetry(b, r, func() { r.Consume(defaultCapacity) })
		})
	}
}

func BenchmarkStore(b *testing.B) {
	s, err := CreateStore(StoreOptions{Dir: b.TempDir(), Agent: "a", PID: 1})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	benchmarkTelemetry(b, s, func() {})
}
