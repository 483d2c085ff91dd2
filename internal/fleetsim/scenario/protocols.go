package scenario

import (
	"errors"
	"fmt"
)

// Protocols are what the fleet speaks beside its pages. A block that is missing is off.
type Protocols struct {
	KVEvents      *KVEvents      `yaml:"kv_events"`
	ForwardPasses *ForwardPasses `yaml:"forward_passes"`
	NIXL          *NIXL          `yaml:"nixl"`
	NVML          *NVML          `yaml:"nvml"`
	Traces        *Traces        `yaml:"traces"`
	Frontend      *Frontend      `yaml:"frontend"`
}

// KVEvents are published over ZeroMQ, worker i at Port + i with its replay socket at ReplayPort + i; port 0 takes free ones.
type KVEvents struct {
	Port       int    `yaml:"port"`
	ReplayPort int    `yaml:"replay_port"` // -1: no replay
	Topic      string `yaml:"topic"`
	Form       string `yaml:"form"`   // map, array or map_batch
	Hashes     string `yaml:"hashes"` // native, unsigned, signed or bytes
	Fields     int    `yaml:"fields"` // of BlockStored in array form; 0: all
	Buffer     int    `yaml:"buffer"` // messages kept for replay; 0: 10,000
}

// ForwardPasses are published over ZeroMQ, worker i at Port + i; port 0 takes free ones.
type ForwardPasses struct {
	Port       int    `yaml:"port"`
	Dialect    string `yaml:"dialect"` // dynamo, vllm or sglang
	Positional bool   `yaml:"positional"`
}

// NIXL leaves telemetry in a directory, one agent per tensor-parallel rank of the workers that hand KV over.
type NIXL struct {
	Dir      string `yaml:"dir"`
	Exporter string `yaml:"exporter"` // buffer or prometheus_mp
	Layout   int    `yaml:"layout"`   // of the buffer, 1 to 5
	Capacity int    `yaml:"capacity"` // of the buffer, events; 0: 4096
}

// NVML shows the GPUs of all workers to the NVML library of tests/nvmlstub, by this state file.
type NVML struct {
	State string `yaml:"state"`
}

// Traces are request spans, sent by OTLP.
type Traces struct {
	Endpoint string `yaml:"endpoint"`
	Protocol string `yaml:"protocol"` // grpc or http/protobuf
	Service  string `yaml:"service"`
}

// Frontend is a Dynamo front end before the whole fleet.
type Frontend struct {
	Listen string `yaml:"listen"`
}

func defaultProtocols() Protocols { return Protocols{} }

// validate fills in what is missing and checks the rest.
func (p *Protocols) validate() error {
	var errs []error
	if k := p.KVEvents; k != nil {
		fill(&k.Form, "map")
		fill(&k.Hashes, "native")
		errs = append(errs,
			port("protocols.kv_events.port", k.Port, 0), port("protocols.kv_events.replay_port", k.ReplayPort, -1),
			atLeast("protocols.kv_events.buffer", k.Buffer, 0), oneOf("protocols.kv_events.form", k.Form, "map", "array", "map_batch"),
			oneOf("protocols.kv_events.hashes", k.Hashes, "native", "unsigned", "signed", "bytes"))
	}
	if f := p.ForwardPasses; f != nil {
		fill(&f.Dialect, "dynamo")
		errs = append(errs, port("protocols.forward_passes.port", f.Port, 0),
			oneOf("protocols.forward_passes.dialect", f.Dialect, "dynamo", "vllm", "sglang"))
	}
	if n := p.NIXL; n != nil {
		fill(&n.Exporter, "buffer")
		if n.Layout == 0 {
			n.Layout = 4
		}
		errs = append(errs, needed("protocols.nixl.dir", n.Dir), atLeast("protocols.nixl.capacity", n.Capacity, 0),
			oneOf("protocols.nixl.exporter", n.Exporter, "buffer", "prometheus_mp"))
		if n.Layout < 1 || n.Layout > 5 {
			errs = append(errs, fmt.Errorf("protocols.nixl.layout: must be from 1 to 5, is %d", n.Layout))
		}
	}
	if n := p.NVML; n != nil {
		errs = append(errs, needed("protocols.nvml.state", n.State))
	}
	if t := p.Traces; t != nil {
		fill(&t.Protocol, "grpc")
		errs = append(errs, needed("protocols.traces.endpoint", t.Endpoint),
			oneOf("protocols.traces.protocol", t.Protocol, "grpc", "http/protobuf"))
	}
	if f := p.Frontend; f != nil {
		errs = append(errs, needed("protocols.frontend.listen", f.Listen))
	}
	return errors.Join(errs...)
}

func fill(value *string, missing string) {
	if *value == "" {
		*value = missing
	}
}

func port(key string, value, lowest int) error {
	if value < lowest || value > 65535 {
		return fmt.Errorf("%s: must be from %d to 65535, is %d", key, lowest, value)
	}
	return nil
}

func atLeast(key string, value, bound int) error {
	if value < bound {
		return fmt.Errorf("%s: must be at least %d, is %d", key, bound, value)
	}
	return nil
}

func needed(key, value string) error {
	if value == "" {
		return fmt.Errorf("%s: must be set", key)
	}
	return nil
}

func oneOf(key, value string, known ...string) error {
	for _, k := range known {
		if value == k {
			return nil
		}
	}
	return fmt.Errorf("%s: must be one of %q, is %q", key, known, value)
}
