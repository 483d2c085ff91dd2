// Package loop costs what its environment says, so that a test can make it cost more.
package loop

import (
	"os"
	"strconv"
	"testing"
)

func number(name string) int {
	n, _ := strconv.Atoi(os.Getenv(name)) // none is 0
	return n
}

func BenchmarkLoop(b *testing.B) {
	work, allocations := number("LOOP_WORK"), number("LOOP_ALLOCATIONS")
	sum, kept := uint64(1), [8]*[64]byte{}
	b.ReportAllocs()
	for b.Loop() {
		for i := range work {
			sum = sum*6364136223846793005 + uint64(i)
		}
		for i := range allocations {
			kept[i%len(kept)] = new([64]byte)
		}
	}
	if sum == 0 || allocations > 0 && kept[0] == nil {
		b.Fatal("never")
	}
}
