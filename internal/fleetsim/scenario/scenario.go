// Package scenario reads the files that describe a simulated fleet: its pools, its traffic, the protocols it speaks and what goes
// wrong in it. Ready ones are built in.
package scenario

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// Scenario is a fleet and what happens to it.
type Scenario struct {
	Name        string
	Description string
	Duration    time.Duration // simulated; 0: no end
	Fleet       fleetsim.Config
	Protocols   Protocols
	Faults      []Fault // in order of time
	Improves    string  // the figure of the truth that the remedy betters; "" without one
}

// Override replaces one value of a file before it is read.
type Override struct {
	Path  string // such as pools[0].workers
	Value string // as YAML text
}

// Options change how a file is read.
type Options struct {
	Overrides []Override
	// Remedy also applies the file's section of that name: the same fleet after the advice that the scenario calls for was taken.
	Remedy bool
}

// file is the form of a scenario on disk. Fleet-wide settings that are missing have the defaults of fleetsim.DefaultConfig.
type file struct {
	Name         string                  `yaml:"name"`
	Description  string                  `yaml:"description"`
	Seed         uint64                  `yaml:"seed"`
	Duration     time.Duration           `yaml:"duration"`
	Pools        []map[string]any        `yaml:"pools"`
	Router       fleetsim.Router         `yaml:"router"`
	DecodeRouter fleetsim.Router         `yaml:"decode_router"`
	Handoff      fleetsim.Handoff        `yaml:"handoff"`
	Link         fleetsim.Link           `yaml:"link"`
	Objectives   fleetsim.Objectives     `yaml:"objectives"`
	Client       fleetsim.Client         `yaml:"client"`
	Adapters     fleetsim.AdapterTraffic `yaml:"adapters"`
	StepNoise    float64                 `yaml:"step_noise"`
	KVLedger     bool                    `yaml:"kv_ledger"` // audit every KV pool; costs time and memory
	Workload     workload                `yaml:"workload"`
	Protocols    Protocols               `yaml:"protocols"`
	Faults       []Fault                 `yaml:"faults"`
	Remedy       map[string]any          `yaml:"remedy"` // paths and values: the advice that helps
	Improves     string                  `yaml:"improves"`
}

// Load reads a scenario: a file's path, or the name of a ready one. Errors name the file, the path inside it and the value.
func Load(name string, o Options) (Scenario, error) {
	text, err := Text(name)
	if err != nil {
		return Scenario{}, err
	}
	s, err := parse(text, filepath.Dir(name), o)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return Scenario{}, inFile(name, err)
	}
	return s, nil
}

// Text is a scenario as it is written: a file's path, or the name of a ready one.
func Text(name string) ([]byte, error) {
	if text, ok := ready(name); ok {
		return text, nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(name, `./\`) {
		return nil, fmt.Errorf("scenario: unknown name %q; known: %s", name, strings.Join(Names(), ", "))
	}
	return text, err
}

// inFile puts the file's name before every line of an error.
func inFile(name string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = name + ": " + lines[i]
	}
	return errors.New(strings.Join(lines, "\n"))
}

// under puts the path of a part before every line of the part's error.
func under(path string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		separator := "."
		if key, _, ok := strings.Cut(line, ": "); !ok || strings.Contains(key, " ") || strings.HasPrefix(line, unknownKeys) || strings.HasPrefix(line, "must ") {
			separator = ": "
		}
		lines[i] = path + separator + line
	}
	return errors.New(strings.Join(lines, "\n"))
}

// parse builds a scenario from its text; relative paths in it start at dir.
func parse(text []byte, dir string, o Options) (Scenario, error) {
	tree, err := parseTree(text)
	if err != nil {
		return Scenario{}, err
	}
	if o.Remedy {
		if err := applyRemedy(tree); err != nil {
			return Scenario{}, err
		}
	}
	for _, v := range o.Overrides {
		if err := set(tree, v.Path, v.Value); err != nil {
			return Scenario{}, err
		}
	}
	base := fleetsim.DefaultConfig()
	f := file{
		Seed: base.Seed, Router: base.Router, Handoff: base.Handoff, Link: base.Link, StepNoise: base.StepNoise,
		Protocols: defaultProtocols(),
	}
	if err := decodeTree(tree, &f); err != nil {
		return Scenario{}, err
	}
	return f.scenario(base, dir)
}

// scenario turns the file's content into what is simulated, and checks what the fleet does not check itself.
func (f *file) scenario(base fleetsim.Config, dir string) (Scenario, error) {
	cfg := base
	cfg.Seed, cfg.Router, cfg.DecodeRouter, cfg.Handoff, cfg.Link = f.Seed, f.Router, f.DecodeRouter, f.Handoff, f.Link
	cfg.Objectives, cfg.Client, cfg.StepNoise = f.Objectives, f.Client, f.StepNoise
	cfg.Adapters, cfg.KVLedger = f.Adapters, f.KVLedger
	var errs []error
	if f.Pools != nil {
		cfg.Pools = nil
	}
	for i, tree := range f.Pools {
		p := fleetsim.DefaultPool()
		p.Name = ""
		if err := decodeTree(tree, &p); err != nil {
			errs = append(errs, under(fmt.Sprintf("pools[%d]", i), err))
			continue
		}
		if p.Name == "" {
			p.Name = string(p.Role)
		}
		cfg.Pools = append(cfg.Pools, p)
	}
	var err error
	if cfg.Workload, err = f.Workload.build("workload", dir, cfg.Workers()); err != nil {
		errs = append(errs, err)
	}
	if f.Duration < 0 {
		errs = append(errs, fmt.Errorf("duration: must be at least 0s, is %s", f.Duration))
	}
	errs = append(errs, f.Protocols.validate(), checkFigure(f.Improves))
	if (f.Remedy == nil) != (f.Improves == "") {
		errs = append(errs, errors.New("remedy and improves: must both be set or neither"))
	}
	for i := range f.Faults {
		if err := f.Faults[i].Validate(cfg.Workers()); err != nil {
			errs = append(errs, under(fmt.Sprintf("faults[%d]", i), err))
		}
	}
	slices.SortStableFunc(f.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return Scenario{
		Name: f.Name, Description: f.Description, Duration: f.Duration, Fleet: cfg, Protocols: f.Protocols, Faults: f.Faults,
		Improves: f.Improves,
	}, errors.Join(errs...)
}

// applyRemedy puts the values of the remedy section, a map of paths, over the rest.
func applyRemedy(tree map[string]any) error {
	remedy, ok := tree["remedy"].(map[string]any)
	if !ok {
		return errors.New("remedy: the scenario has none")
	}
	for _, path := range slices.Sorted(maps.Keys(remedy)) {
		if err := put(tree, path, remedy[path]); err != nil {
			return fmt.Errorf("remedy.%w", err)
		}
	}
	return nil
}
