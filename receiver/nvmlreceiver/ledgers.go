package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"sync"
	"time"
)

// Bounds of what is remembered of devices: more than a host can have at a time, 64 GPUs of at most 7 MIG devices.
const (
	maxLedgers   = 1024
	forgetLedger = time.Hour
)

// ledgers remembers what was summed up of each device, by UUID. One that is in use is never forgotten.
type ledgers struct {
	mu     sync.Mutex
	byUUID map[string]*ledgerEntry
}

type ledgerEntry struct {
	ledger *ledger
	users  int
	usedAt time.Time
}

func newLedgers() *ledgers { return &ledgers{byUUID: make(map[string]*ledgerEntry)} }

// take returns the ledger of a device, a new one when the device is new or was gone for long, to be given back.
func (l *ledgers) take(uuid string, now time.Time) *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	e := l.byUUID[uuid]
	if e == nil {
		e = &ledgerEntry{ledger: newLedger(now)}
		if len(l.byUUID) < maxLedgers {
			l.byUUID[uuid] = e
		}
	}
	e.users++
	e.usedAt = now
	return e.ledger
}

// giveBack undoes one take.
func (l *ledgers) giveBack(uuid string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byUUID[uuid]; e != nil && e.users > 0 {
		e.users--
		e.usedAt = now
	}
}

// since is when a device was first seen; now when it is not known.
func (l *ledgers) since(uuid string, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byUUID[uuid]; e != nil {
		return e.ledger.since
	}
	return now
}

// forget drops the ledgers that nobody used in a while, and when there is no room the one that was not used for the longest.
func (l *ledgers) forget(now time.Time) {
	oldest, at := "", now
	for uuid, e := range l.byUUID {
		switch {
		case e.users > 0:
		case now.Sub(e.usedAt) > forgetLedger:
			delete(l.byUUID, uuid)
		case !e.usedAt.After(at):
			oldest, at = uuid, e.usedAt
		}
	}
	if len(l.byUUID) >= maxLedgers {
		delete(l.byUUID, oldest)
	}
}
