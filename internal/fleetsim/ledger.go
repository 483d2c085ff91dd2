package fleetsim

// Ledger is the whole truth of a run with what is needed to repeat it.
type Ledger struct {
	Setup   Setup   `json:"setup"`
	Fleet   Truth   `json:"fleet"`
	Workers []Truth `json:"workers"`
}

// Setup is the configuration in force.
type Setup struct {
	Seed         uint64         `json:"seed"`
	Pools        []Pool         `json:"pools"`
	Router       Router         `json:"router"`
	DecodeRouter Router         `json:"decode_router"`
	Handoff      Handoff        `json:"handoff"`
	Link         Link           `json:"link"`
	Objectives   Objectives     `json:"objectives"`
	Client       Client         `json:"client"`
	Adapters     AdapterTraffic `json:"adapters"`
	KVLedger     bool           `json:"kv_ledger,omitempty"`
	FrontEnd     string         `json:"front_end,omitempty"`
	StepNoise    float64        `json:"step_noise"`
	Workload     Workload       `json:"workload"`
}

// Ledger takes a snapshot at the simulated time reached.
func (f *Fleet) Ledger() Ledger {
	c := f.cfg
	l := Ledger{
		Setup: Setup{
			Seed: c.Seed, Pools: c.Pools, Router: c.Router, DecodeRouter: c.DecodeRouter, Handoff: c.Handoff, Link: c.Link,
			Objectives: c.Objectives, Client: c.Client, Adapters: c.Adapters, KVLedger: c.KVLedger, FrontEnd: c.FrontEnd, StepNoise: c.StepNoise, Workload: c.Workload,
		},
		Fleet: f.Truth(),
	}
	for i := range f.workers {
		l.Workers = append(l.Workers, f.WorkerTruth(i))
	}
	return l
}
