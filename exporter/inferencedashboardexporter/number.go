package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"math"
	"strconv"
)

// number is a figure that may be absent. It is comparable, so that a view can be compared with the one before.
type number struct {
	value float64
	ok    bool
}

func some(v float64) number { return number{value: v, ok: true} }

// orZero returns the figure, or 0 where it is absent.
func (n number) orZero() float64 {
	if n.ok {
		return n.value
	}
	return 0
}

// rounded keeps four significant digits: one more than the page shows, and few enough that noise changes no view.
func (n number) rounded() number {
	n.value = round(n.value)
	return n
}

func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	if math.IsInf(scale, 0) || scale == 0 {
		return v
	}
	return math.Round(v*scale) / scale
}

// MarshalJSON writes null for an absent figure.
func (n number) MarshalJSON() ([]byte, error) {
	if !n.ok || math.IsNaN(n.value) || math.IsInf(n.value, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, n.value, 'g', -1, 64), nil
}
