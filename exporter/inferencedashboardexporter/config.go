package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/confmap"
)

const (
	minResolution     = time.Second
	maxResolution     = time.Minute
	minUpdateInterval = 100 * time.Millisecond
	maxHistory        = 24 * time.Hour
	maxLongHistory    = 7 * 24 * time.Hour
	maxLongResolution = time.Hour
	maxWorkersLimit   = 10_000
	// maxCells bounds workers times history slots, and so it does fleets times theirs: further fleets have those of a worker. A cell is 80
	// bytes at most, so that the history never takes more than 305 MiB for workers and as much for fleets.
	maxCells = 4_000_000
)

// Config is the user's configuration of the exporter.
type Config struct {
	// ServerConfig is the HTTP server: endpoint, TLS, authentication and so on. Default endpoint: localhost:8899.
	ServerConfig confighttp.ServerConfig `mapstructure:",squash"`

	// History is how far back the charts reach. Default: 1h.
	History time.Duration `mapstructure:"history"`
	// Resolution is the distance of two points in the history. Default: 5s.
	Resolution time.Duration `mapstructure:"resolution"`
	// LongHistory is how far back coarser charts reach; 0 keeps none. Default: 24h.
	LongHistory time.Duration `mapstructure:"long_history"`
	// LongResolution is the distance of two points in it. Default: 2m.
	LongResolution time.Duration `mapstructure:"long_resolution"`
	// WorkerResolution is the distance of two points in the history of a worker, 0 for Resolution. Default: 0.
	WorkerResolution time.Duration `mapstructure:"worker_resolution"`
	// WorkerLongResolution is the distance of two points in the long history of a worker, 0 for LongResolution. Default: 0.
	WorkerLongResolution time.Duration `mapstructure:"worker_long_resolution"`
	// UpdateInterval is how often the fleet is judged and pages are told what changed. Default: 1s.
	UpdateInterval time.Duration `mapstructure:"update_interval"`
	// MaxWorkers bounds the workers tracked. When it is reached, new ones are refused and counted. Default: 1000.
	MaxWorkers int `mapstructure:"max_workers"`
	// Links lead to other tools, such as the long-term store of the same metrics. Default: none.
	Links []Link `mapstructure:"links"`
}

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

// Validate reports every setting out of bounds, each with its key, its bound and the value it has.
func (c *Config) Validate() error {
	err := errors.Join(
		validateEndpoint(c.ServerConfig.NetAddr),
		validateDuration("resolution", c.Resolution, minResolution, maxResolution),
		validateDuration("history", c.History, 2*c.Resolution, maxHistory),
		validateDuration("update_interval", c.UpdateInterval, minUpdateInterval, c.Resolution),
		c.validateLong(),
		c.validateWorkers(),
		validateLinks(c.Links),
	)
	if c.MaxWorkers < 1 || c.MaxWorkers > maxWorkersLimit {
		err = errors.Join(err, fmt.Errorf("max_workers: must be 1..%d (got %d)", maxWorkersLimit, c.MaxWorkers))
	}
	if err != nil {
		return err
	}
	if cells := (c.workerFine().slots + c.workerLong().slots) * c.MaxWorkers; cells > maxCells {
		return fmt.Errorf("(history / worker_resolution + long_history / worker_long_resolution) x max_workers: must be at most %d (got %d)", maxCells, cells)
	}
	return nil
}

// workerFine is the extent of a worker's recent history.
func (c *Config) workerFine() extent {
	step := cmp.Or(c.WorkerResolution, c.Resolution)
	return extent{step, int(c.History / step)}
}

// workerLong is the extent of a worker's coarser history, without slots where none is kept.
func (c *Config) workerLong() extent {
	if c.LongHistory == 0 {
		return extent{}
	}
	step := cmp.Or(c.WorkerLongResolution, c.LongResolution)
	return extent{step, int(c.LongHistory / step)}
}

// fine is the extent of the recent history.
func (c *Config) fine() extent { return extent{c.Resolution, int(c.History / c.Resolution)} }

// long is the extent of the coarser history, without slots where none is kept.
func (c *Config) long() extent {
	if c.LongHistory == 0 {
		return extent{}
	}
	return extent{c.LongResolution, int(c.LongHistory / c.LongResolution)}
}

func (c *Config) validateLong() error {
	if c.LongHistory == 0 {
		return nil
	}
	return errors.Join(
		validateDuration("long_resolution", c.LongResolution, c.Resolution, maxLongResolution),
		validateDuration("long_history", c.LongHistory, 2*c.LongResolution, maxLongHistory),
	)
}

// validateWorkers holds the steps of workers between those of fleets and half of what is kept.
func (c *Config) validateWorkers() (err error) {
	if c.WorkerResolution != 0 {
		err = validateDuration("worker_resolution", c.WorkerResolution, c.Resolution, c.History/2)
	}
	if c.WorkerLongResolution != 0 && c.LongHistory != 0 {
		err = errors.Join(err, validateDuration("worker_long_resolution", c.WorkerLongResolution, c.LongResolution, c.LongHistory/2))
	}
	return err
}

func validateDuration(key string, got, low, high time.Duration) error {
	if got < low || got > high {
		return fmt.Errorf("%s: must be %s..%s (got %s)", key, low, high, got)
	}
	return nil
}

// validateEndpoint refuses an endpoint that nobody could open in a browser. Port 0 would be a different page address after
// each start.
func validateEndpoint(addr confignet.AddrConfig) error {
	if addr.Transport == confignet.TransportTypeUnix {
		return nil
	}
	_, port, err := net.SplitHostPort(addr.Endpoint)
	if err != nil {
		return fmt.Errorf("endpoint: must be host:port (got %q)", addr.Endpoint)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("endpoint: port must be 1..65535 (got %s)", port)
	}
	return nil
}
