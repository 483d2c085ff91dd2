package fleetsim

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Transport is what carries KV between two workers.
type Transport string

// Transports.
const (
	RDMA   Transport = "rdma"
	TCP    Transport = "tcp"
	NVLink Transport = "nvlink"
	Local  Transport = "local" // shared memory or PCIe inside a machine
)

// Link is the network of a worker: an egress and an ingress, each serving one transfer at a time in order of posting. A transfer
// runs on all tensor-parallel ranks at once and ends with the slowest:
//
//	per rank and piece: (Latency + PerDescriptor x descriptors + bytes / Bandwidth) x noise + stalls
//
// Between two workers the worse figure of either end holds.
type Link struct {
	Transport     Transport     `json:"transport" yaml:"transport"`
	Latency       time.Duration `json:"latency_ns" yaml:"latency"`                   // of each piece, Post included
	Post          time.Duration `json:"post_ns" yaml:"post"`                         // the part of Latency that is submitting, on a CPU
	PerDescriptor time.Duration `json:"per_descriptor_ns" yaml:"per_descriptor"`     // likewise submitting
	Bandwidth     float64       `json:"bandwidth_bytes_per_second" yaml:"bandwidth"` // of one rank
	Noise         float64       `json:"noise" yaml:"noise"`                          // standard deviation of the logarithm of a rank's time; its mean is 1
	Pieces        int           `json:"pieces" yaml:"pieces"`                        // sent one after the other, as layer-wise transfers are; 0 is 1
	Overlap       bool          `json:"overlap" yaml:"overlap"`                      // pieces but the last may travel while the prompt is still being computed
	Hiccups       Hiccups       `json:"hiccups" yaml:"hiccups"`
	Fallback      Fallback      `json:"fallback" yaml:"fallback"`             // to TCP
	Timeout       time.Duration `json:"timeout_ns" yaml:"timeout"`            // an attempt that takes longer is given up; 0: never
	Retries       int           `json:"retries" yaml:"retries"`               // further attempts before the transfer fails
	Backoff       time.Duration `json:"backoff_ns" yaml:"backoff"`            // between attempts; the link stays taken
	FailureChance float64       `json:"failure_chance" yaml:"failure_chance"` // of an attempt, noticed at its end
}

// Hiccups are short stalls.
type Hiccups struct {
	Stall     time.Duration `json:"stall_ns" yaml:"stall"`
	Chance    float64       `json:"chance" yaml:"chance"`         // that a piece stalls on a rank
	PerSecond float64       `json:"per_second" yaml:"per_second"` // times a second, at random, that a rank's egress or ingress is blocked for Stall
}

// Fallback is TCP in place of the configured transport, for good or for some.
type Fallback struct {
	Pairs     float64       `json:"pairs" yaml:"pairs"`         // share of the pairs of workers, always the same ones
	Transfers float64       `json:"transfers" yaml:"transfers"` // share of the transfers of the other pairs
	Latency   time.Duration `json:"latency_ns" yaml:"latency"`
	Bandwidth float64       `json:"bandwidth_bytes_per_second" yaml:"bandwidth"` // of one rank
}

// DefaultLink is one 400 Gbit/s adapter per GPU with RDMA: 45 of 50 GB/s, 1.5 ms per transfer, of which posting is 1 ms, 15 % noise.
// TCP, when fallen back to, has 1.25 GB/s (10 Gbit/s) and 3 ms, inside the band of 0.3 to 5 GB/s that is measured of it.
func DefaultLink() Link {
	return Link{
		Transport: RDMA, Latency: 1500 * time.Microsecond, Post: time.Millisecond, Bandwidth: 45e9, Noise: 0.15, Pieces: 1,
		Fallback: Fallback{Latency: 3 * time.Millisecond, Bandwidth: 1.25e9},
	}
}

// Validate checks every bound and reports all violations at once.
func (l Link) Validate() error {
	var errs []error
	share := func(key string, v float64) {
		if !(v >= 0 && v <= 1) {
			errs = append(errs, fmt.Errorf("link.%s: must be from 0 to 1, is %g", key, v))
		}
	}
	length := func(key string, v time.Duration) {
		if v < 0 {
			errs = append(errs, fmt.Errorf("link.%s: must be at least 0s, is %s", key, v))
		}
	}
	rate := func(key string, v float64) {
		if !(v >= 1) || math.IsInf(v, 0) {
			errs = append(errs, fmt.Errorf("link.%s: must be at least 1 byte/s, is %g", key, v))
		}
	}
	switch l.Transport {
	case RDMA, TCP, NVLink, Local:
	default:
		errs = append(errs, fmt.Errorf("link.transport: must be %s, %s, %s or %s, is %q", RDMA, TCP, NVLink, Local, l.Transport))
	}
	length("latency", l.Latency)
	length("post", l.Post)
	if l.Post > l.Latency {
		errs = append(errs, fmt.Errorf("link.post: must be at most the latency %s, is %s", l.Latency, l.Post))
	}
	length("per_descriptor", l.PerDescriptor)
	rate("bandwidth", l.Bandwidth)
	share("noise", l.Noise)
	if l.Pieces < 0 {
		errs = append(errs, fmt.Errorf("link.pieces: must be at least 0, is %d", l.Pieces))
	}
	length("timeout", l.Timeout)
	length("backoff", l.Backoff)
	if l.Retries < 0 {
		errs = append(errs, fmt.Errorf("link.retries: must be at least 0, is %d", l.Retries))
	}
	share("failure_chance", l.FailureChance)
	length("hiccups.stall", l.Hiccups.Stall)
	share("hiccups.chance", l.Hiccups.Chance)
	// Blocked more than all the time, a link would never move anything.
	if busy := l.Hiccups.PerSecond * l.Hiccups.Stall.Seconds(); !(l.Hiccups.PerSecond >= 0 && busy < 1) {
		errs = append(errs, fmt.Errorf("link.hiccups.per_second: must be at least 0 and with stall %s below %g, is %g",
			l.Hiccups.Stall, 1/l.Hiccups.Stall.Seconds(), l.Hiccups.PerSecond))
	}
	share("fallback.pairs", l.Fallback.Pairs)
	share("fallback.transfers", l.Fallback.Transfers)
	length("fallback.latency", l.Fallback.Latency)
	if l.Fallback.Pairs > 0 || l.Fallback.Transfers > 0 {
		rate("fallback.bandwidth", l.Fallback.Bandwidth)
	}
	return errors.Join(errs...)
}
