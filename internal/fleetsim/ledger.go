package fleetsim

// Ledger is the whole truth of a run with what is needed to repeat it.
type Ledger struct {
	Setup   Setup   `json:"setup"`
	Fleet   Truth   `json:"fleet"`
	Workers []Truth `json:"workers"`
}

// Setup is the configuration in force.
type Setup struct {
	Seed             uint64   `json:"seed"`
	Workers          int      `json:"workers"`
	Model            string   `json:"model"`
	GPU              string   `json:"gpu"`
	Stack            string   `json:"stack"`
	Precision        string   `json:"precision"`
	TensorParallel   int      `json:"tensor_parallel"`
	MaxBatchedTokens int      `json:"max_num_batched_tokens"`
	MaxNumSeqs       int      `json:"max_num_seqs"`
	MaxModelTokens   int      `json:"max_model_tokens"`
	BlockSize        int      `json:"block_size"`
	KVBlocks         int      `json:"kv_blocks"`
	PrefixCaching    bool     `json:"prefix_caching"`
	StepNoise        float64  `json:"step_noise"`
	Router           Router   `json:"router"`
	Workload         Workload `json:"workload"`
}

// Ledger takes a snapshot at the simulated time reached.
func (f *Fleet) Ledger() Ledger {
	c := f.cfg
	l := Ledger{
		Setup: Setup{
			Seed: c.Seed, Workers: c.Workers, Model: c.Model, GPU: c.GPU, Stack: c.Stack, Precision: c.Precision,
			TensorParallel: c.TensorParallel, MaxBatchedTokens: c.MaxBatchedTokens, MaxNumSeqs: c.MaxNumSeqs,
			MaxModelTokens: c.MaxModelTokens, BlockSize: c.BlockSize, KVBlocks: c.KVBlocks, PrefixCaching: c.PrefixCaching,
			StepNoise: c.StepNoise, Router: c.Router, Workload: c.Workload,
		},
		Fleet: f.Truth(),
	}
	for i := range f.workers {
		l.Workers = append(l.Workers, f.WorkerTruth(i))
	}
	return l
}
