package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
)

// Bounds of the configuration.
const (
	minCollection = 100 * time.Millisecond
	minPoll       = time.Millisecond
	// maxPoll is NIXL's interval between exports: a reader that is slower can lose events of bursts that fit into the ring.
	maxPoll     = 100 * time.Millisecond
	minRescan   = time.Second
	minTakeover = time.Second
	minStale    = time.Second
	maxAgents   = 1 << 16
)

// Mode says what is done to rings.
type Mode string

// Modes.
const (
	// ModeAuto observes, and takes a ring over that is nearly full and that nobody has read for takeover_after.
	ModeAuto Mode = "auto"
	// ModeConsume empties rings from the start.
	ModeConsume Mode = "consume"
	// ModeObserve never writes.
	ModeObserve Mode = "observe"
)

// NameMode says whether the names of agents make resources apart.
type NameMode string

// Modes of names.
const (
	// NameAuto keeps names, except those with a UUID or twelve hexadecimal digits in a row, in whose place slots come.
	NameAuto NameMode = "auto"
	// NameKeep keeps all names.
	NameKeep NameMode = "keep"
	// NameDrop puts a slot in the place of every name, and tells none.
	NameDrop NameMode = "drop"
)

// Config of the receiver.
type Config struct {
	Sources            SourcesConfig `mapstructure:"sources"`
	CollectionInterval time.Duration `mapstructure:"collection_interval"`
	PollInterval       time.Duration `mapstructure:"poll_interval"`
	RescanInterval     time.Duration `mapstructure:"rescan_interval"` // new files are also found by inotify
	StaleAfter         time.Duration `mapstructure:"stale_after"`     // a dead agent is told of
	MaxAgents          int           `mapstructure:"max_agents"`
	AgentName          NameMode      `mapstructure:"agent_name"`
	// EngineLogs are globs of files in which the tables of UCX_PROTO_INFO=y are looked for. Nothing else of them is kept.
	EngineLogs []string `mapstructure:"engine_logs"`
	// Storage is an extension that keeps the counters of rings over a restart of the collector.
	Storage  *component.ID `mapstructure:"storage"`
	ProcPath string        `mapstructure:"proc_path"`
	SysPath  string        `mapstructure:"sys_path"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SourcesConfig says what is read.
type SourcesConfig struct {
	Buffer    BufferConfig    `mapstructure:"buffer"`
	Multiproc MultiprocConfig `mapstructure:"multiproc"`
	Links     LinksConfig     `mapstructure:"links"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// BufferConfig says where rings are, and what is done to them.
type BufferConfig struct {
	Directories         []string      `mapstructure:"directories"` // NIXL_TELEMETRY_DIR
	Mode                Mode          `mapstructure:"mode"`
	TakeoverAfter       time.Duration `mapstructure:"takeover_after"`
	AllowUnknownVersion bool          `mapstructure:"allow_unknown_version"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// MultiprocConfig says where stores are.
type MultiprocConfig struct {
	Directories []string `mapstructure:"directories"` // NIXL_TELEMETRY_MULTIPROC_DIR

	// prevent unkeyed literal initialization
	_ struct{}
}

// LinksConfig says whether the links of the host are read.
type LinksConfig struct {
	Enabled bool `mapstructure:"enabled"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

// Validate names the key, the bound and the value of each error.
func (c *Config) Validate() error {
	errs := []error{
		bounds.AtLeast("collection_interval", c.CollectionInterval, minCollection),
		bounds.AtLeast("rescan_interval", c.RescanInterval, minRescan),
		bounds.AtLeast("stale_after", c.StaleAfter, minStale),
		bounds.AtLeast("sources::buffer::takeover_after", c.Sources.Buffer.TakeoverAfter, minTakeover),
		bounds.Within("poll_interval", c.PollInterval, minPoll, maxPoll),
		bounds.Within("max_agents", c.MaxAgents, 1, maxAgents),
		bounds.OneOf("sources::buffer::mode", c.Sources.Buffer.Mode, ModeAuto, ModeConsume, ModeObserve),
		bounds.OneOf("agent_name", c.AgentName, NameAuto, NameKeep, NameDrop),
		validatePaths("proc_path", c.ProcPath),
		validatePaths("sys_path", c.SysPath),
		validateDirectories("sources::buffer::directories", c.Sources.Buffer.Directories),
		validateDirectories("sources::multiproc::directories", c.Sources.Multiproc.Directories),
	}
	for i, glob := range c.EngineLogs {
		if _, err := filepath.Match(glob, ""); err != nil || !filepath.IsAbs(glob) {
			errs = append(errs, fmt.Errorf("engine_logs[%d] must be a glob of absolute paths (got %q)", i, glob))
		}
	}
	return errors.Join(errs...)
}

func validatePaths(key, path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s must be an absolute path (got %q)", key, path)
	}
	return nil
}

func validateDirectories(key string, directories []string) error {
	var errs []error
	seen := make(map[string]bool)
	for i, d := range directories {
		if err := validatePaths(fmt.Sprintf("%s[%d]", key, i), d); err != nil {
			errs = append(errs, err)
		} else if clean := filepath.Clean(d); seen[clean] {
			errs = append(errs, fmt.Errorf("%s[%d] must be there once (got %q)", key, i, d))
		} else {
			seen[clean] = true
		}
	}
	return errors.Join(errs...)
}
