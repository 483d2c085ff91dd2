package serving

// HBM is what is known of the memory of a worker's GPUs, in bytes over all of them; below 0 what is not known.
type HBM struct {
	Limit   float64 // that there is
	Engine  float64 // of the engine's processes
	Others  float64 // of other processes
	KVPool  float64
	Weights float64
}

// HBMUse divides the memory by use, in bytes; the parts add up to the limit.
type HBMUse struct {
	Weights      float64
	Runtime      float64 // activations, graphs, communication, workspace
	KVPool       float64
	OtherProcess float64
	Outside      float64 // free, or the driver's
	Unattributed float64 // the engine's, and it is not known what
}

// Total is the limit.
func (u HBMUse) Total() float64 {
	return u.Weights + u.Runtime + u.KVPool + u.OtherProcess + u.Outside + u.Unattributed
}

// Divide divides the memory. It fails without a limit and the memory of the engine's processes.
func (h HBM) Divide() (u HBMUse, ok bool) {
	if !(h.Limit > 0 && h.Engine > 0) {
		return HBMUse{}, false
	}
	engine := min(h.Engine, h.Limit)
	u.OtherProcess = min(max(0, h.Others), h.Limit-engine)
	u.Outside = h.Limit - engine - u.OtherProcess
	u.KVPool = min(max(0, h.KVPool), engine)
	rest := engine - u.KVPool
	if h.KVPool < 0 || h.Weights < 0 {
		u.Unattributed = rest
		return u, true
	}
	u.Weights = min(h.Weights, rest)
	u.Runtime = rest - u.Weights
	return u, true
}
