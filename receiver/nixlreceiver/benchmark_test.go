package nixlreceiver

import (
	"fmt"
	"testing"
)

// agents is a rig with so many agents of one process, each of which has made some transfers.
func agents(b *testing.B, n int) *rig {
	r := newRig(b, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	writers := make([]*writer, n)
	for i := range writers {
		writers[i] = newWriter(b, r.dir, fmt.Sprintf("agent-%04d", i), 64)
		for range 10 {
			writers[i].transfer(i%2 == 0)
		}
	}
	r.run(10, 1, writers...)
	r.look()
	return r
}

// BenchmarkIdle polls 1000 agents in which nothing happens, each once; that is done ten times a second.
func BenchmarkIdle(b *testing.B) {
	r := agents(b, 1000)
	r.now = r.now.Add(idleAfter)
	b.ReportAllocs()
	for b.Loop() {
		r.poll()
	}
}

// BenchmarkCollect makes the points of 1000 agents, every five seconds.
func BenchmarkCollect(b *testing.B) {
	r := agents(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		r.collect(r.now)
	}
}

// BenchmarkSurvey looks for new agents where there are 1000, every five seconds.
func BenchmarkSurvey(b *testing.B) {
	r := agents(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		r.survey()
	}
}
