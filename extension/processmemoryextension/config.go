package processmemoryextension // import "github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension"

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Bounds of the configuration.
const (
	defaultAfter  = 10 * time.Second
	minGCPercent  = 10
	maxGCPercent  = 1000
	keepGCPercent = 0
)

// Config of the extension.
type Config struct {
	// GiveBackAfter is how long after the start of all pipelines the program's pages are given back; 0 for never. Before, they are needed
	// again: what is discovered is started by then.
	GiveBackAfter time.Duration `mapstructure:"give_back_after"`
	// GCPercent is how much the heap grows between two collections, in percent of what lives, as GOGC; 0 leaves it as it is. GOGC in the
	// environment goes before it.
	GCPercent int `mapstructure:"gc_percent"`
}

func createDefaultConfig() component.Config { return &Config{GiveBackAfter: defaultAfter} }

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.GiveBackAfter < 0 {
		errs = append(errs, fmt.Errorf("give_back_after: must not be negative, got %v", c.GiveBackAfter))
	}
	if c.GCPercent != keepGCPercent && (c.GCPercent < minGCPercent || c.GCPercent > maxGCPercent) {
		errs = append(errs, fmt.Errorf("gc_percent: must be 0 or %d to %d, got %d", minGCPercent, maxGCPercent, c.GCPercent))
	}
	return errors.Join(errs...)
}
