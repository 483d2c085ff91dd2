//go:build unix

package gpu

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed models.yaml
var modelsYAML []byte

// Machine is a host with GPUs.
type Machine struct {
	// Name is what UUIDs and serial numbers are made from: the same name gives the same ones.
	Name string
	// DriverVersion, NVMLVersion and CUDAVersion (1000 x major + 10 x minor, 13000 for 13.0) default to those of a real driver.
	DriverVersion string
	NVMLVersion   string
	CUDAVersion   int
	// Devices are the GPUs, at most MaxDevices.
	Devices []Model
	// Clock is the time of the machine; time.Now when nil.
	Clock func() time.Time
}

// Model is what a kind of GPU is. Units are in the names of the keys.
type Model struct {
	Name               string     `yaml:"name"`
	Architecture       string     `yaml:"architecture"` // ampere, ada, hopper or blackwell
	ComputeCapability  [2]uint32  `yaml:"compute_capability"`
	PCIDeviceID        uint32     `yaml:"pci_device_id"`
	Multiprocessors    uint32     `yaml:"multiprocessors"`
	Cores              uint32     `yaml:"cores"`
	Memory             uint64     `yaml:"memory_bytes"`
	ReservedMemory     uint64     `yaml:"reserved_memory_bytes"`
	BAR1               uint64     `yaml:"bar1_bytes"`
	MaxSMClock         float64    `yaml:"max_sm_clock_hz"`
	MaxMemoryClock     float64    `yaml:"max_memory_clock_hz"`
	MaxVideoClock      float64    `yaml:"max_video_clock_hz"`
	IdlePower          float64    `yaml:"idle_power_w"`
	PowerLimit         float64    `yaml:"power_limit_w"` // default and highest
	MinPowerLimit      float64    `yaml:"min_power_limit_w"`
	AveragesPower      bool       `yaml:"averages_power"`       // power readings are means of a second
	TemperatureLimits  [4]float64 `yaml:"temperature_limits_c"` // shutdown, slowdown, memory, GPU
	Fans               uint32     `yaml:"fans"`
	NVLinks            uint32     `yaml:"nvlinks"`
	NVLinkVersion      uint32     `yaml:"nvlink_version"`
	NVLinkRate         float64    `yaml:"nvlink_bits_per_second"` // line rate of one link and direction
	PCIeGeneration     uint32     `yaml:"pcie_generation"`
	PCIeWidth          uint32     `yaml:"pcie_width"`
	MIGMultiprocessors uint32     `yaml:"mig_multiprocessors"` // of one MIG slice; 0: no MIG
	GPM                bool       `yaml:"gpm"`
	Fabric             bool       `yaml:"fabric"`
	RetiresPages       bool       `yaml:"retires_pages"` // instead of remapping rows, as before Ampere
}

// Models returns the built-in models by name.
func Models() (map[string]Model, error) {
	var models map[string]Model
	decoder := yaml.NewDecoder(strings.NewReader(string(modelsYAML)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&models); err != nil {
		return nil, fmt.Errorf("models.yaml: %w", err)
	}
	return models, nil
}

// Template returns a machine with n GPUs of a built-in model: a100, h100, h200 or b200.
func Template(model string, n int) (Machine, error) {
	models, err := Models()
	if err != nil {
		return Machine{}, err
	}
	m, known := models[model]
	if !known {
		return Machine{}, fmt.Errorf("model: must be one of %s, is %q", strings.Join(slices.Sorted(maps.Keys(models)), ", "), model)
	}
	if n < 1 || n > MaxDevices {
		return Machine{}, fmt.Errorf("number of GPUs: must be 1..%d, is %d", MaxDevices, n)
	}
	return Machine{Name: model, Devices: slices.Repeat([]Model{m}, n)}, nil
}

// withDefaults fills what was left empty and says what cannot be.
func (m Machine) withDefaults() (Machine, error) {
	if n := len(m.Devices); n < 1 || n > MaxDevices {
		return m, fmt.Errorf("devices: must be 1..%d, are %d", MaxDevices, n)
	}
	for i, d := range m.Devices {
		if err := d.check(); err != nil {
			return m, fmt.Errorf("device %d: %w", i, err)
		}
	}
	if m.Clock == nil {
		m.Clock = time.Now
	}
	if m.DriverVersion == "" {
		m.DriverVersion = "580.82.07"
	}
	if m.NVMLVersion == "" {
		m.NVMLVersion = "13." + m.DriverVersion
	}
	if m.CUDAVersion == 0 {
		m.CUDAVersion = 13000
	}
	return m, nil
}

func (m Model) check() error {
	if len(m.Name) == 0 || len(m.Name) >= 64 { // the 64 bytes NVML documents for names, end included
		return fmt.Errorf("name: must have 1..63 bytes, is %q", m.Name)
	}
	if _, err := m.architecture(); err != nil {
		return err
	}
	if m.NVLinks > maxLinks {
		return fmt.Errorf("nvlinks: must be at most %d, is %d", maxLinks, m.NVLinks)
	}
	if m.ReservedMemory > m.Memory {
		return fmt.Errorf("reserved_memory_bytes: must be at most the memory of %d, is %d", m.Memory, m.ReservedMemory)
	}
	return nil
}

// architecture returns the nvmlDeviceArchitecture_t.
func (m Model) architecture() (uint32, error) {
	switch m.Architecture {
	case "turing":
		return 6, nil
	case "ampere":
		return 7, nil
	case "ada":
		return 8, nil
	case "hopper":
		return 9, nil
	case "blackwell":
		return 10, nil
	}
	return 0, fmt.Errorf("architecture: must be turing, ampere, ada, hopper or blackwell, is %q", m.Architecture)
}
