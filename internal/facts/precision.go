package facts // import "github.com/otelcol-inference/otelcol-inference/internal/facts"

import "strings"

// Types of weights, as far as they matter: what they weigh and at which rate they are multiplied.
const (
	BF16 = "bf16" // any of 16 bits
	FP8  = "fp8"  // any of 8 bits that tensor pipes multiply as such
	FP4  = "fp4"  // weights of 4 bits that tensor pipes multiply as such where they can, else in 16
	INT4 = "int4" // weights of 4 bits that are multiplied in 16
)

// Precision reads the type of a model's weights from what the engine told of its configuration, else from the model's name, in which
// quantised checkpoints say so. 16 bits when nothing says otherwise.
func Precision(model string, told ...string) string {
	for _, text := range append(told, model) {
		text = strings.ToLower(text)
		switch {
		case containsAny(text, "fp8", "w8a8", "int8", "8bit"):
			return FP8
		case containsAny(text, "fp4"):
			return FP4
		case containsAny(text, "int4", "w4a16", "awq", "gptq", "4bit"):
			return INT4
		}
	}
	return BF16
}

// CacheBytes is the size of a KV cache element of that type as an engine names it; 2 bytes unless told otherwise.
func CacheBytes(dataType string) float64 {
	if containsAny(strings.ToLower(dataType), "fp8", "int8", "e4m3", "e5m2") {
		return 1
	}
	return 2
}

// WeightBytes is what a parameter of that type weighs, and Rate at which type's peak it is multiplied.
func WeightBytes(precision string) float64 {
	switch precision {
	case FP8:
		return 1
	case FP4, INT4:
		return 0.5
	}
	return 2
}

// Rate is the peak of the device for weights of that type, FLOP/s: that of 16 bits where it has no other.
func (d Device) Rate(precision string) float64 {
	if v := d.FLOPS[precision]; v > 0 {
		return v
	}
	return d.FLOPS[BF16]
}

func containsAny(text string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
