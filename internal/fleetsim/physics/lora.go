package physics

// A step with LoRA adapters launches two more kernels (shrink, expand) for each of the four projections of a layer, and reads the
// weights of every distinct adapter. Rank and kernel time are assumptions: rank 16 is the default of common training tools, 2 us the
// floor of a small kernel inside a graph.
const (
	loraRank          = 16
	loraKernels       = 8
	loraKernelSeconds = 2e-6
)
