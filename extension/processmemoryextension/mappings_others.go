//go:build !linux

package processmemoryextension // import "github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension"

import "errors"

// giveBack is known on Linux only.
func giveBack() (given, error) {
	return given{}, errors.New("giving back a program's pages is known on Linux only")
}
