package physics

import "math"

const (
	// elementwiseEfficiency is the share of HBM bandwidth that norms, rotary embedding, activations and cache writes reach; memory
	// copies of this size measure 0.7 to 0.8.
	elementwiseEfficiency = 0.75
	// gatherEfficiency is the share of the link rate at which GPUs fetch whole messages from each other.
	gatherEfficiency = 0.8
	// layerGEMMs is the number of matrix products of a layer: queries with keys and values, output, gate with up, down.
	layerGEMMs = 4
	// tileRows is how many rows the tensor pipes compute at least: the height of the smallest matrix instruction of a warp group.
	tileRows = 64
	// mostRows is where the table ends; beyond, what depends on the rows grows in proportion.
	mostRows = 1 << 15
)

// rowCost is what a number of rows costs on one GPU, over all layers.
type rowCost struct {
	gemm        float64 // matrix products of the layers if their weights were at hand, s
	headRow     float64 // the same for the output projection, s per sampled token
	stream      float64 // reading the weights these rows touch, s
	memory      float64 // element-wise kernels and activations, s
	reduce      float64 // all-reduces, s
	weightBytes float64
	tensorFLOPs float64 // of the layers, padded to the tile
}

// rowTable holds rowCost by number of rows: exact up to perOctave, interpolated beyond.
type rowTable struct{ cells []rowCost }

func newRowTable(k kernels, m *Cost, model Model, precision string) rowTable {
	t := rowTable{}
	for i := range gridIndex(mostRows) + 2 {
		t.cells = append(t.cells, m.rowCost(k, model, precision, gridValue(i)))
	}
	return t
}

// rowCost computes one cell.
func (m *Cost) rowCost(k kernels, model Model, precision string, rows float64) rowCost {
	var c rowCost
	secondsPerFLOP := func(rows float64) float64 {
		return 1 / (m.peakFLOPS * m.stack.KernelEfficiency * k.efficiency.at(rows))
	}
	touched := model.touchedExperts(rows)
	each := rows * model.expertsPerToken() / touched // rows of one expert
	dense := 2 * m.layers * model.attentionParameters() / m.tp
	experts := 2 * m.layers * model.expertParameters() / m.tp * touched
	c.gemm = rows*dense*secondsPerFLOP(rows) + each*experts*secondsPerFLOP(each)
	c.headRow = m.headFLOPs * secondsPerFLOP(rows)
	c.tensorFLOPs = math.Max(rows, tileRows)*dense + math.Max(each, tileRows)*experts

	layerBytes := (model.attentionParameters() + touched*model.expertParameters()) * bytesPerParameter(precision) / m.tp
	c.weightBytes = m.layers*layerBytes + model.HeadParameters()*2/m.tp
	c.stream = (c.weightBytes/(m.bandwidth*k.gemm.StreamEfficiency) + m.layers*layerGEMMs*k.gemm.Floor) * k.dispatch.at(each)

	elementwise := m.layers * model.elementwiseBytes(m.tp) / elementwiseEfficiency
	c.memory = rows * (elementwise + m.layers*k.gemm.ActivationPasses*model.gemmActivationBytes(m.tp)) / m.bandwidth
	if m.tp > 1 {
		c.reduce = 2 * m.layers * m.reduceSeconds(k, rows*2*float64(model.Hidden))
	}
	return c
}

// reduceSeconds is the time of one all-reduce of so many bytes.
func (m *Cost) reduceSeconds(k kernels, bytes float64) float64 {
	t := k.allReduce.timeAt(bytes)*math.Max(1, m.stack.ReduceSlowdown) + m.stack.ReduceSkew*math.Log2(m.tp)
	if m.stack.GatherBytes > 0 && bytes > m.stack.GatherBytes {
		t += (m.tp - 1) * (bytes - m.stack.GatherBytes) / (m.link * gatherEfficiency)
	}
	return t
}

// at returns the cost of a number of rows, at least 1.
func (t *rowTable) at(rows float64) rowCost {
	beyond := 1.0
	if rows > mostRows {
		beyond, rows = rows/mostRows, mostRows
	}
	i, f := gridPosition(rows)
	a, b := &t.cells[i], &t.cells[i+1]
	if f == 0 && beyond == 1 {
		return *a
	}
	return rowCost{
		gemm:        (a.gemm + f*(b.gemm-a.gemm)) * beyond,
		headRow:     a.headRow + f*(b.headRow-a.headRow),
		stream:      a.stream + f*(b.stream-a.stream),
		memory:      (a.memory + f*(b.memory-a.memory)) * beyond,
		reduce:      (a.reduce + f*(b.reduce-a.reduce)) * beyond,
		weightBytes: a.weightBytes + f*(b.weightBytes-a.weightBytes),
		tensorFLOPs: (a.tensorFLOPs + f*(b.tensorFLOPs-a.tensorFLOPs)) * beyond,
	}
}
