// Package gonvml answers the questions of package gpu by NVIDIA's go-nvml, and those that are asked many times a second by a few
// lines of C of its own.
//
// go-nvml binds functions when they are first called, and a function that the loaded library lacks then ends the process. So
// nothing here is called whose symbol was not looked up first.
package gonvml // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"

// DefaultLibrary is what is loaded when the configuration names no file.
const DefaultLibrary = "libnvidia-ml.so.1"
