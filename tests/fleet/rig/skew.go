package rig

import "time"

// Skew is by how much a program's clock differs from the machine's, in whole seconds. Monotonic time goes on as it is, as when an
// administrator or NTP sets a clock.
//
// Go asks the kernel's page in the process (vDSO) for the time and no library, so that preloading one is in vain, and a time namespace
// has no real time of its own. So the function in that page is replaced before the program's first instruction: it asks the kernel, and
// adds what lies behind it to real time. That is for Linux on amd64.
type Skew struct {
	memory string        // file
	at     int64         // address of the seconds that are added
	by     time.Duration // as set
}

// Now is what the program takes for the time.
func (s *Skew) Now() time.Time { return time.Now().Add(s.by) }
