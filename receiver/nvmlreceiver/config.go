package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
)

// Bounds of the configuration.
const (
	minCollection = 100 * time.Millisecond
	minSampling   = 20 * time.Millisecond
	maxSampling   = 10 * time.Second
	minDiscovery  = time.Second
	minTimeout    = 100 * time.Millisecond
	maxTimeout    = 5 * time.Minute
)

// Config of the receiver.
type Config struct {
	CollectionInterval time.Duration `mapstructure:"collection_interval"`
	InitialDelay       time.Duration `mapstructure:"initial_delay"` // before the first collection
	SamplingInterval   time.Duration `mapstructure:"sampling_interval"`
	DiscoveryInterval  time.Duration `mapstructure:"discovery_interval"` // between looks for GPUs and MIG devices that came or went
	CallTimeout        time.Duration `mapstructure:"call_timeout"`       // an NVML call that takes longer counts as blocked
	Library            string        `mapstructure:"library"`            // file of NVML; "" is libnvidia-ml.so.1 of the loader's path
	RequireGPU         bool          `mapstructure:"require_gpu"`        // no GPU is an error of the start

	Preset  Preset                  `mapstructure:"preset"`
	Metrics map[string]MetricConfig `mapstructure:"metrics"` // by name; what is not there is as the preset says

	// PointIdentity repeats hw.id, hw.type and, for sensors, hw.parent on each point, as the semantic conventions list them. The
	// resource has them always.
	PointIdentity bool `mapstructure:"point_identity"`

	ProcPath     string             `mapstructure:"proc_path"` // of the processes that NVML names
	PodResources PodResourcesConfig `mapstructure:"pod_resources"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// MetricConfig turns one metric on or off.
type MetricConfig struct {
	Enabled *bool `mapstructure:"enabled"` // must be there: an empty block means neither

	// prevent unkeyed literal initialization
	_ struct{}
}

// PodResourcesConfig says where the kubelet tells which container has which GPU.
type PodResourcesConfig struct {
	// Socket of the kubelet's pod-resources API. "" asks nobody. A socket that is not there is asked again at each discovery.
	Socket string `mapstructure:"socket"`

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
		bounds.AtLeast("initial_delay", c.InitialDelay, 0),
		bounds.Within("sampling_interval", c.SamplingInterval, minSampling, maxSampling),
		bounds.AtLeast("discovery_interval", c.DiscoveryInterval, minDiscovery),
		bounds.Within("call_timeout", c.CallTimeout, minTimeout, maxTimeout),
		bounds.OneOf("preset", c.Preset, presets()...),
	}
	known := metricLevels()
	for _, name := range sortedKeys(c.Metrics) {
		if _, ok := known[name]; !ok {
			errs = append(errs, fmt.Errorf("metrics must name metrics of this receiver (got %q)", name))
		} else if c.Metrics[name].Enabled == nil {
			errs = append(errs, fmt.Errorf("metrics::%s must say enabled: true or enabled: false (got neither)", name))
		}
	}
	if strings.Contains(c.Library, "\x00") {
		errs = append(errs, fmt.Errorf("library must be a file (got %q)", c.Library))
	}
	if c.ProcPath == "" {
		errs = append(errs, errors.New(`proc_path must be a folder (got "")`))
	}
	if s := c.PodResources.Socket; s != "" && !filepath.IsAbs(s) {
		errs = append(errs, fmt.Errorf("pod_resources::socket must be an absolute path (got %q)", s))
	}
	return errors.Join(errs...)
}

// enabled says whether a metric is on.
func (c *Config) enabled(name string) bool {
	if on := c.Metrics[name].Enabled; on != nil {
		return *on
	}
	return c.Preset.includes(metricLevels()[name])
}
