// Package bounds checks values of a configuration. Its errors name key, bound and value; nil is a value within its bounds, as [errors.Join] takes it.
package bounds // import "github.com/otelcol-inference/otelcol-inference/internal/bounds"

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Within fails where got is below low, above high, or not a number.
func Within[T cmp.Ordered](key string, got, low, high T) error {
	if got >= low && got <= high {
		return nil
	}
	return fmt.Errorf("%s must be between %v and %v (got %v)", key, low, high, got)
}

// AtLeast fails where got is below low, or not a number.
func AtLeast[T cmp.Ordered](key string, got, low T) error {
	if got >= low {
		return nil
	}
	return fmt.Errorf("%s must be at least %v (got %v)", key, low, got)
}

// OneOf fails where got is none of the values.
func OneOf[T ~string](key string, got T, values ...T) error {
	if slices.Contains(values, got) {
		return nil
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return fmt.Errorf("%s must be one of %s (got %q)", key, strings.Join(texts, ", "), got)
}
