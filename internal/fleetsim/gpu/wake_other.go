//go:build unix && !linux

package gpu

import "sync/atomic"

// wake does nothing: where there is no futex those that wait look every 2 ms.
func (l *stateLayout) wake() {}

func (l *stateLayout) event() { atomic.AddUint64(&l.EventHead, 1) }
