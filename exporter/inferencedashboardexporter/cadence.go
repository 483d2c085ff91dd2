package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "time"

const (
	// minSilence is the silence after which a worker is stale at the earliest.
	minSilence  = 15 * time.Second
	maxInterval = 5 * time.Minute
)

// cadence learns how often something reports, so that a worker scraped once a minute is not called stale after 15 seconds.
type cadence struct {
	last     time.Time
	interval time.Duration // the usual distance of two reports, 0 while unknown
}

// observe takes a report. Several batches of one scrape arrive within moments and count as one.
func (c *cadence) observe(now time.Time) {
	gap := now.Sub(c.last)
	if c.last.IsZero() {
		c.last = now
		return
	}
	if gap < trailingBin/10 {
		return
	}
	c.last = now
	if c.interval == 0 {
		c.interval = min(gap, maxInterval)
		return
	}
	// An outage must not teach a longer interval, so a gap counts at most twice the usual one.
	c.interval = min((3*c.interval+min(gap, 2*c.interval))/4, maxInterval)
}

// stale reports whether three usual intervals, and at least 15 seconds, passed without a report.
func (c *cadence) stale(now time.Time) bool {
	return c.last.IsZero() || now.Sub(c.last) > max(minSilence, 3*c.interval)
}
