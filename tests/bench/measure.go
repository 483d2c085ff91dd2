package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// readyWithin bounds the wait for a subject to be at work. One that is not by then is measured as it is.
const readyWithin = 20 * time.Second

// work is the load of one run, which finds nothing that another run has left.
type work struct {
	targets []string                  // what a subject is pointed at
	done    func() int64              // what has been done of it
	ready   int64                     // of it, when a subject is seen to be at work: Prometheus looks for targets for 5 s first
	due     func(time.Duration) int64 // what should have been done in a time; nil where it goes as fast as it can
	lost    func() int64              // what came to nothing so far; nil where that is what is due and not done
	answers func() []time.Duration    // how long each piece took since the last call, sorted; nil where nobody waits for it
	close   func() error
}

// scrapes is a fleet of engines whose pages are asked for.
func scrapes(o options, p *page) (work, error) {
	f, err := serve(o.targets, p)
	if err != nil {
		return work{}, err
	}
	return work{targets: f.addresses, ready: 2 * int64(o.targets), done: f.pages.Load, close: f.close, due: func(d time.Duration) int64 {
		return int64(float64(o.targets) * d.Seconds() / o.interval.Seconds())
	}}, nil
}

// measured is what one run cost.
type measured struct {
	took    time.Duration
	cpu     time.Duration // in the window
	rss     int64         // bytes, median of the window
	own     int64         // of those without a file, likewise
	done    int64         // of the work, in the window
	due     int64         // 0 where nothing is
	lost    int64
	answers []time.Duration // sorted
	points  float64         // handed on in the window

	goroutines int   // of a collector, at the end
	live       int64 // bytes on its heap, likewise
}

// rounds checks all subjects and then measures them in turn.
func rounds(o options, subjects []subject, open func() (work, error)) (map[string][]measured, error) {
	if err := checkAll(subjects, open); err != nil {
		return nil, err
	}
	results := map[string][]measured{}
	for round := range o.rounds {
		for _, s := range subjects {
			m, err := measure(o, s, round, open)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
			fmt.Fprintf(os.Stderr, "round %d %s: %v of CPU, %d done, %d due, %d lost, %.0f points, %.1f MB, %.1f of its own\n",
				round+1, s.name, m.cpu, m.done, m.due, m.lost, m.points, megabytes(m), own(m))
			results[s.name] = append(results[s.name], m)
		}
	}
	return results, nil
}

// checkAll checks all subjects against the load.
func checkAll(subjects []subject, open func() (work, error)) error {
	w, err := open()
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range subjects {
		if err := check(s, w.targets); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(append(errs, w.close())...)
}

// check has the program look at the configuration that it will get.
func check(s subject, targets []string) (err error) {
	if s.check == nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, err := newSite(dir, targets)
	if err != nil {
		return err
	}
	cmd, err := s.check(at)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%.4000s", err, out)
	}
	return nil
}

// measure runs one subject under a load of its own.
func measure(o options, s subject, round int, open func() (work, error)) (m measured, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := open()
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	at, err := newSite(dir, w.targets)
	if err != nil {
		return m, err
	}
	c, err := start(s, at)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	for began := time.Now(); s.name != idle && w.done() < w.ready && time.Since(began) < readyWithin; {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(o.warmup)
	profile := c.profile(o, s.name, round)
	if m, err = window(o, s, c, w); err != nil {
		return m, err
	}
	if err := <-profile; err != nil {
		return m, err
	}
	// A busy machine may delay scrapes, which the table tells; what one costs is still known.
	if s.name != idle && (m.done == 0 || s.points != "" && m.points == 0) {
		return m, fmt.Errorf("did nothing: %d of the work, %.0f points handed on", m.done, m.points)
	}
	return m, nil
}

// window measures from now on.
func window(o options, s subject, c *program, w work) (m measured, err error) {
	pid := c.cmd.Process.Pid
	points := func() (float64, error) {
		if s.points == "" {
			return 0, nil
		}
		return c.counted(s.points)
	}
	handed, err := points()
	if err != nil {
		return m, err
	}
	if w.lost == nil {
		w.lost = func() int64 { return 0 }
	}
	if w.answers == nil {
		w.answers = func() []time.Duration { return nil }
	}
	w.answers()
	began, done, lost := time.Now(), w.done(), w.lost()
	before, err := usageOf(pid)
	if err != nil {
		return m, err
	}
	after := before
	var resident, own []int64
	for end := began.Add(o.window); time.Now().Before(end); {
		time.Sleep(min(200*time.Millisecond, time.Until(end)))
		if after, err = usageOf(pid); err != nil {
			return m, err
		}
		resident, own = append(resident, after.rss), append(own, after.own)
	}
	m.cpu, m.done, m.lost, m.took = after.cpu-before.cpu, w.done()-done, w.lost()-lost, time.Since(began)
	m.answers = w.answers()
	if w.due != nil {
		m.due = w.due(m.took)
	}
	slices.Sort(resident)
	slices.Sort(own)
	m.rss, m.own = resident[len(resident)/2], own[len(own)/2]
	now, err := points()
	if err != nil {
		return m, err
	}
	m.points = now - handed
	if s.points == accepted || s.name == idle {
		m.goroutines, m.live, err = c.inside()
	}
	return m, err
}
