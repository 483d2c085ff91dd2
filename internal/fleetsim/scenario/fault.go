package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// Fault is something that goes wrong, or changes, at a time and for a while. Exactly one kind is set.
type Fault struct {
	At  time.Duration `yaml:"at"`  // simulated time; faults given while running happen at once
	For time.Duration `yaml:"for"` // then it is undone; 0: for good, and kinds that happen once have none

	// The engine.
	Restart      *Restart `yaml:"restart"`
	CounterReset *Worker  `yaml:"counter_reset"` // all counters start over, the work goes on
	Version      *Version `yaml:"version"`       // a restart as another release, which names things otherwise
	Speed        *Speed   `yaml:"speed"`
	HashSeed     *Seed    `yaml:"hash_seed"` // a restart with another seed of block hashes

	// The traffic and the network.
	Load        *Factor            `yaml:"load"` // arrival rate times a factor
	Hiccups     *fleetsim.Hiccups  `yaml:"hiccups"`
	TCPFallback *fleetsim.Fallback `yaml:"tcp_fallback"`

	// The page.
	ScrapeHang     *Worker `yaml:"scrape_hang"`
	ScrapeDelay    *Delay  `yaml:"scrape_delay"`
	ScrapeStatus   *Status `yaml:"scrape_status"`
	ScrapeTruncate *Share  `yaml:"scrape_truncate"`
	LabelChurn     *Worker `yaml:"label_churn"`
	ClockSkew      *Delay  `yaml:"clock_skew"` // of every time the worker states in events and spans

	// KV events and forward passes.
	EventDrop      *Count  `yaml:"event_drop"` // the next messages are lost on the way: a gap, which replay can fill
	EventLoss      *Share  `yaml:"event_loss"` // share of the messages lost
	EventGarbage   *Count  `yaml:"event_garbage"`
	EventDuplicate *Count  `yaml:"event_duplicate"`
	NoReplay       *Worker `yaml:"no_replay"`

	// NIXL telemetry and GPUs.
	AgentDeath *Worker `yaml:"agent_death"` // the agent is gone, its file stays
	AgentStall *Worker `yaml:"agent_stall"` // nothing is flushed
	GPU        *GPU    `yaml:"gpu"`
	XID        *XID    `yaml:"xid"`

	ECC          *ECC          `yaml:"ecc"`           // memory errors that a GPU counts from then on
	GPUCount     *GPUCount     `yaml:"gpu_count"`     // GPUs pulled, or put back
	DriverReload *DriverReload `yaml:"driver_reload"` // old handles end
}

// Worker names one worker, or all.
type Worker struct {
	Worker *int `yaml:"worker"` // nil: every worker
}

// Restart ends a worker's process and starts it again.
type Restart struct {
	Worker   *int          `yaml:"worker"`
	Downtime time.Duration `yaml:"downtime"`
}

// Version names a release.
type Version struct {
	Worker   *int          `yaml:"worker"`
	Version  string        `yaml:"version"`
	Downtime time.Duration `yaml:"downtime"`
}

// Speed slows a worker down or makes it faster.
type Speed struct {
	Worker *int    `yaml:"worker"`
	Factor float64 `yaml:"factor"`
}

// Seed is a hash seed.
type Seed struct {
	Worker   *int          `yaml:"worker"`
	Seed     uint64        `yaml:"seed"`
	Downtime time.Duration `yaml:"downtime"`
}

// Factor multiplies.
type Factor struct {
	Factor float64 `yaml:"factor"`
}

// Delay is a time.
type Delay struct {
	Worker *int          `yaml:"worker"`
	Delay  time.Duration `yaml:"delay"`
}

// Status is an HTTP status.
type Status struct {
	Worker *int `yaml:"worker"`
	Status int  `yaml:"status"`
}

// Share is a part of a whole, 0..1.
type Share struct {
	Worker *int    `yaml:"worker"`
	Share  float64 `yaml:"share"`
}

// Count is a number of messages.
type Count struct {
	Worker *int `yaml:"worker"`
	Count  int  `yaml:"count"`
}

// GPU makes calls of the GPU library fail.
type GPU struct {
	Device   int           `yaml:"device"`   // index on the host; -1: calls without a device
	Function string        `yaml:"function"` // such as nvmlDeviceGetPowerUsage; "": every function of the device
	Result   string        `yaml:"result"`   // such as GPU_IS_LOST, NOT_SUPPORTED; "": as usual, after the delay
	Delay    time.Duration `yaml:"delay"`
	Hang     bool          `yaml:"hang"` // the call does not return while the fault lasts
}

// XID is a critical event that a GPU reports.
type XID struct {
	Device int    `yaml:"device"`
	XID    uint64 `yaml:"xid"`
}

// ECC is what a GPU says of its memory.
type ECC struct {
	Device       int    `yaml:"device"`
	Corrected    uint64 `yaml:"corrected"`
	Uncorrected  uint64 `yaml:"uncorrected"`
	RemapPending bool   `yaml:"remap_pending"` // a row waits for a reset to be remapped
}

// GPUCount is how many GPUs there are, the first ones.
type GPUCount struct {
	GPUs int `yaml:"gpus"`
}

// DriverReload has no settings.
type DriverReload struct{}

// Kind is the key of the one kind that is set, and its value.
func (f *Fault) Kind() (string, any, error) {
	var names []string
	var value any
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.Pointer && !field.IsNil() {
			names = append(names, v.Type().Field(i).Tag.Get("yaml"))
			value = field.Interface()
		}
	}
	if len(names) != 1 {
		return "", nil, fmt.Errorf("must be one kind, is %d (%s); kinds: %s", len(names), strings.Join(names, ", "), strings.Join(FaultKinds(), ", "))
	}
	return names[0], value, nil
}

// FaultKinds lists the keys.
func FaultKinds() []string {
	var names []string
	t := reflect.TypeFor[Fault]()
	for i := range t.NumField() {
		if t.Field(i).Type.Kind() == reflect.Pointer {
			names = append(names, t.Field(i).Tag.Get("yaml"))
		}
	}
	return names
}

// FaultKeys lists the kinds with the keys of their values.
func FaultKeys() map[string][]string {
	kinds := map[string][]string{}
	t := reflect.TypeFor[Fault]()
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Pointer {
			kinds[f.Tag.Get("yaml")] = append([]string{}, keysOf(f.Type.Elem())...)
		}
	}
	return kinds
}

// Once tells the kinds that happen at a moment and cannot last.
func Once(kind string) bool {
	switch kind {
	case "restart", "counter_reset", "version", "hash_seed", "event_drop", "event_garbage", "event_duplicate", "agent_death", "xid", "driver_reload":
		return true
	}
	return false
}

// Validate checks times and values for a fleet of that many workers.
func (f *Fault) Validate(workers int) error {
	kind, value, err := f.Kind()
	if err != nil {
		return err
	}
	var errs []error
	if f.At < 0 {
		errs = append(errs, fmt.Errorf("at: must be at least 0s, is %s", f.At))
	}
	if f.For < 0 {
		errs = append(errs, fmt.Errorf("for: must be at least 0s, is %s", f.For))
	}
	if f.For > 0 && Once(kind) {
		errs = append(errs, fmt.Errorf("for: must not be set, %s happens once; is %s", kind, f.For))
	}
	if err := needs(value); err != nil {
		errs = append(errs, fmt.Errorf("%s%w", kind, err))
	}
	v := reflect.ValueOf(value).Elem()
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if err := checkValue(key, v.Field(i).Interface(), workers, kind == "clock_skew"); err != nil {
			errs = append(errs, fmt.Errorf("%s.%w", kind, err))
		}
	}
	return errors.Join(errs...)
}

// checkValue holds a value to the bounds of its key; negative allows durations below 0.
func checkValue(key string, value any, workers int, negative bool) error {
	switch x := value.(type) {
	case *int:
		if key == "worker" && x != nil && (*x < 0 || *x >= workers) {
			return fmt.Errorf("worker: must be from 0 to %d, is %d", workers-1, *x)
		}
	case time.Duration:
		if x < 0 && !negative {
			return fmt.Errorf("%s: must be at least 0s, is %s", key, x)
		}
	case float64:
		switch {
		case key == "factor" && !(x > 0 && x <= 1000):
			return fmt.Errorf("factor: must be above 0 and at most 1000, is %g", x)
		case key == "share" && !(x > 0 && x <= 1):
			return fmt.Errorf("share: must be above 0 and at most 1, is %g", x)
		}
	case int:
		switch {
		case key == "status" && (x < 100 || x > 599):
			return fmt.Errorf("status: must be from 100 to 599, is %d", x)
		case key == "count" && x < 1:
			return fmt.Errorf("count: must be at least 1, is %d", x)
		case key == "device" && x < -1:
			return fmt.Errorf("device: must be at least -1, is %d", x)
		}
	}
	return nil
}

// needs tells of a kind without what it takes to do anything.
func needs(value any) error {
	switch x := value.(type) {
	case *Delay:
		if x.Delay == 0 {
			return errors.New(".delay: must be set")
		}
	case *Version:
		if x.Version == "" {
			return errors.New(".version: must be set")
		}
	case *XID:
		if x.XID == 0 {
			return errors.New(".xid: must be set")
		}
	case *GPU:
		if x.Result == "" && x.Delay == 0 && !x.Hang {
			return errors.New(": must have a result, a delay or hang")
		}
	case *fleetsim.Hiccups:
		if x.Stall == 0 || (x.Chance == 0 && x.PerSecond == 0) {
			return errors.New(": must have a stall, and a chance or per_second")
		}
	case *fleetsim.Fallback:
		if x.Pairs == 0 && x.Transfers == 0 {
			return errors.New(": must have a share of pairs or of transfers")
		}
	}
	return nil
}

// target is the worker, or the device, that the value of a kind names; nil is all.
func target(value any) *int {
	v := reflect.ValueOf(value).Elem()
	if f := v.FieldByName("Worker"); f.IsValid() {
		return f.Interface().(*int)
	}
	if f := v.FieldByName("Device"); f.IsValid() {
		device := int(f.Int())
		return &device
	}
	return nil
}

// ParseFault reads a fault given while running, in the form of an entry of the file as JSON or YAML.
func ParseFault(text []byte, workers int) (Fault, error) {
	// JSON is YAML, but YAML takes some that is not JSON.
	if start := bytes.TrimSpace(text); len(start) > 0 && start[0] == '{' && !json.Valid(text) {
		return Fault{}, errors.New("must be whole JSON")
	}
	tree, err := parseTree(text)
	if err != nil {
		return Fault{}, err
	}
	var f Fault
	if err := decodeTree(tree, &f); err != nil {
		return Fault{}, err
	}
	return f, f.Validate(workers)
}
