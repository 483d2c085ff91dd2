package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal reads the configuration and refuses keys that it does not know. confmap does so by itself, except where a struct with
// an Unmarshal of its own is squashed, as confighttp.ServerConfig is: there a misspelt key would silently leave a default in force.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	known := keysOf(reflect.TypeOf(*c))
	var unknown []string
	for key := range conf.ToStringMap() {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("unknown keys: %s", strings.Join(unknown, ", "))
	}
	return conf.Unmarshal(c)
}

// keysOf returns the configuration keys of a struct, those of squashed structs included.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "squash"):
			keys = append(keys, keysOf(t.Field(i).Type)...)
		case name != "":
			keys = append(keys, name)
		}
	}
	return keys
}
