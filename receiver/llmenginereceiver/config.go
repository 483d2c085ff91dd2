package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Bounds of the configuration.
const (
	minInterval  = 100 * time.Millisecond
	maxTimeout   = 4 * time.Second // of the default
	minBodyBytes = 1 << 10
	maxBodyBytes = 1 << 30
	minSeries    = 100
)

// Config of the receiver. The keys of confighttp's client (tls, headers, auth, proxy_url, ...) hold for all endpoints; its
// endpoint key is one more endpoint, which is how receiver_creator starts an instance.
type Config struct {
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"` // timeout: 0 is the smaller of collection_interval and 4 s
	Scrape       ScrapeConfig            `mapstructure:",squash"`
	Streams      StreamsConfig           `mapstructure:",squash"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// ScrapeConfig is what the receiver itself knows.
type ScrapeConfig struct {
	Endpoints          []EndpointConfig `mapstructure:"endpoints"`
	CollectionInterval time.Duration    `mapstructure:"collection_interval"`
	InitialDelay       time.Duration    `mapstructure:"initial_delay"` // before the first scrape of the first endpoint
	MaxBodyBytes       int64            `mapstructure:"max_body_bytes"`
	MaxSeries          int              `mapstructure:"max_series"`        // per endpoint
	Preset             string           `mapstructure:"preset"`            // minimal, default or full
	Raw                bool             `mapstructure:"raw"`               // the engine's own families too, untouched
	IterationStats     bool             `mapstructure:"iteration_stats"`   // of TensorRT-LLM, which hands each record out once
	Connected          []string         `mapstructure:"connected"`         // inputs that are read elsewhere, and are not missing
	ProcPath           string           `mapstructure:"proc_path"`         // of the host whose endpoints are local; empty: no process is looked for
	ReportUnseen       bool             `mapstructure:"report_unseen"`     // say that engines of this host cannot be discovered
	ScrapedElsewhere   []int            `mapstructure:"scraped_elsewhere"` // ports of this host that report_unseen leaves out

	// Defaults for the endpoints that do not say.
	ServiceName string `mapstructure:"service_name"`
	Fleet       string `mapstructure:"fleet"`
	Role        string `mapstructure:"role"`
	K8sRole     string `mapstructure:"k8s_role"` // what a label of the pod says; what is no role is none

	// prevent unkeyed literal initialization
	_ struct{}
}

// EndpointConfig is one endpoint. In YAML it is either a string, the endpoint, or a map. Without an endpoint but with a stream nothing
// is scraped.
type EndpointConfig struct {
	Endpoint    string `mapstructure:"endpoint"` // host:port or URL; without a path: /metrics
	ServiceName string `mapstructure:"service_name"`
	Fleet       string `mapstructure:"fleet"`
	Role        string `mapstructure:"role"`
	K8sRole     string `mapstructure:"k8s_role"`

	KVEvents      *KVStreamConfig   `mapstructure:"kv_events"`
	ForwardPasses *PassStreamConfig `mapstructure:"forward_passes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Validator   = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// strictClient is confighttp's client without its methods.
type strictClient confighttp.ClientConfig

// strictConfig is Config with it. Errors name the type.
type strictConfig struct {
	Client  strictClient  `mapstructure:",squash"`
	Scrape  ScrapeConfig  `mapstructure:",squash"`
	Streams StreamsConfig `mapstructure:",squash"`
}

// Unmarshal refuses unknown keys. confighttp's client lets them pass, in its own blocks and beside them, because it takes them for
// those of the component; its type without methods does not.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	var strict strictConfig
	if err := conf.Unmarshal(&strict); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// UnmarshalText reads an endpoint that is given as a string.
func (e *EndpointConfig) UnmarshalText(text []byte) error {
	e.Endpoint = string(text)
	return nil
}

// Validate names the key, the bound and the value of each error. Credentials in a URL are left out.
func (c *Config) Validate() error {
	errs := []error{
		bounds.AtLeast("collection_interval", c.Scrape.CollectionInterval, minInterval),
		bounds.AtLeast("initial_delay", c.Scrape.InitialDelay, 0),
		bounds.AtLeast("timeout", c.ClientConfig.Timeout, 0),
		bounds.Within("max_body_bytes", c.Scrape.MaxBodyBytes, minBodyBytes, maxBodyBytes),
		bounds.AtLeast("max_series", c.Scrape.MaxSeries, minSeries),
		checkRole(c.Scrape.Role),
	}
	if c.ClientConfig.Timeout > c.Scrape.CollectionInterval && c.Scrape.CollectionInterval >= minInterval {
		errs = append(errs, fmt.Errorf("timeout must be at most collection_interval, which is %s (got %s)",
			c.Scrape.CollectionInterval, c.ClientConfig.Timeout))
	}
	if proxy := c.ClientConfig.ProxyURL; proxy != "" {
		if u, err := url.ParseRequestURI(proxy); err != nil || u.Host == "" { // confighttp's error would show it whole
			errs = append(errs, fmt.Errorf("proxy_url must be a URL (got %q)", redact(proxy)))
		}
	}
	errs = append(errs, c.validateChoices()...)
	streams, passes := 0, 0
	for _, e := range c.all() {
		streams += e.KVEvents.ranks()
		passes += e.ForwardPasses.ranks()
	}
	if !c.Streams.Pages.Enabled && streams+passes == 0 {
		errs = append(errs, errors.New("scrape: enabled must be true where neither kv_events nor forward_passes are followed (got false)"))
	}
	errs = append(errs, c.Streams.KVEvents.validate(streams)...)
	return errors.Join(append(errs, c.validateEndpoints()...)...)
}

// validateChoices checks the keys whose values are words.
func (c *Config) validateChoices() (errs []error) {
	errs = append(errs, bounds.OneOf("preset", c.Scrape.Preset, signal.Presets()...))
	for i, source := range c.Scrape.Connected {
		errs = append(errs, bounds.OneOf(fmt.Sprintf("connected[%d]", i), source, signal.Sources()...))
	}
	for i, port := range c.Scrape.ScrapedElsewhere {
		if port < 1 || port > 65535 {
			errs = append(errs, fmt.Errorf("scraped_elsewhere[%d] must be a port from 1 to 65535 (got %d)", i, port))
		}
	}
	if len(c.Scrape.ScrapedElsewhere) > 0 && !c.Scrape.ReportUnseen {
		errs = append(errs, fmt.Errorf("report_unseen must be true where scraped_elsewhere names ports (got %v)", c.Scrape.ScrapedElsewhere))
	}
	return errs
}

func (c *Config) validateEndpoints() (errs []error) {
	kv, passes := c.Streams.top()
	if c.Scrape.ReportUnseen && c.Scrape.ProcPath == "" {
		return []error{errors.New("proc_path must name a /proc where report_unseen is true (got \"\")")}
	}
	if !c.Scrape.ReportUnseen && c.ClientConfig.Endpoint == "" && len(c.Scrape.Endpoints) == 0 && kv == nil && passes == nil {
		return []error{errors.New("endpoint or endpoints must name at least one engine (got none)")}
	}
	seen := make(map[string]string)
	once := func(key, what string, endpoint fmt.Stringer, shown string) {
		if other, twice := seen[endpoint.String()]; twice {
			errs = append(errs, fmt.Errorf("%s must be there once (got %s, as in %s)", what, shown, other))
		} else {
			seen[endpoint.String()] = key
		}
	}
	check := func(key string, e EndpointConfig) {
		if err := checkRole(e.Role); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		streams, err := e.streams()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		for _, at := range streams {
			once(key, key+": a stream", at, at.String())
		}
		if e.Endpoint == "" && (e.KVEvents != nil || e.ForwardPasses != nil) {
			return
		}
		u, err := parseEndpoint(e.Endpoint)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %w", key, err))
			return
		}
		once(key, key, u, u.Host)
	}
	if c.ClientConfig.Endpoint != "" || kv != nil || passes != nil {
		check("endpoint", EndpointConfig{Endpoint: c.ClientConfig.Endpoint, KVEvents: kv, ForwardPasses: passes})
	}
	for i, e := range c.Scrape.Endpoints {
		check(fmt.Sprintf("endpoints[%d]", i), e)
	}
	return errs
}

func roles() []string {
	return []string{signal.RolePrefill, signal.RoleDecode, signal.RoleAggregated, signal.RoleEncode, signal.RoleRouter}
}

// k8sRole reads a role from a pod's label. Labels are other people's: what is no role of ours ("both", or a template that found
// nothing) tells none.
func k8sRole(label string) string {
	if slices.Contains(roles(), label) {
		return label
	}
	return ""
}

func checkRole(role string) error {
	if role != "" && !slices.Contains(roles(), role) {
		return fmt.Errorf("role must be one of %s (got %q)", strings.Join(roles(), ", "), role)
	}
	return nil
}

// all returns every endpoint, with the defaults filled in.
func (c *Config) all() []EndpointConfig {
	var all []EndpointConfig
	if kv, passes := c.Streams.top(); c.ClientConfig.Endpoint != "" || kv != nil || passes != nil {
		all = append(all, EndpointConfig{Endpoint: c.ClientConfig.Endpoint, KVEvents: kv, ForwardPasses: passes})
	}
	all = append(all, c.Scrape.Endpoints...)
	for i := range all {
		all[i].ServiceName = cmp.Or(all[i].ServiceName, c.Scrape.ServiceName)
		all[i].Fleet = cmp.Or(all[i].Fleet, c.Scrape.Fleet)
		all[i].Role = cmp.Or(all[i].Role, c.Scrape.Role)
		all[i].K8sRole = cmp.Or(all[i].K8sRole, c.Scrape.K8sRole)
	}
	return all
}

// timeout bounds one scrape.
func (c *Config) timeout() time.Duration {
	if c.ClientConfig.Timeout > 0 {
		return c.ClientConfig.Timeout
	}
	return min(c.Scrape.CollectionInterval, maxTimeout)
}
