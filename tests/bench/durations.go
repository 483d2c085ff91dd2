package main

import (
	"slices"
	"sync"
	"time"
)

// durations collects how long something took each time. It is safe for concurrent use.
type durations struct {
	mu  sync.Mutex
	all []time.Duration
}

func (d *durations) add(one time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
}

// taken returns those since the last call, in order of their length.
func (d *durations) taken() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	slices.Sort(all)
	return all
}

// answer is a quantile of the durations of a run, in milliseconds.
func (m measured) answer(q float64) float64 {
	if len(m.answers) == 0 {
		return 0
	}
	return m.answers[int(q*float64(len(m.answers)-1))].Seconds() * 1000
}

// answers is a column of their quantile.
func answers(head string, q float64) column {
	return column{head: head, of: func(all []measured) string {
		return spreadOf(all, func(m measured) float64 { return m.answer(q) }).String()
	}}
}
