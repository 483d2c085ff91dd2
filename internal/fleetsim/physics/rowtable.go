package physics

import "math"

const (
	// rooflineNorm is the order p of the norm that joins compute and weight streaming: 5 puts a GEMM of 128 rows 15 % above the
	// flat part, as measured (design value "about 4 to 6"); a hard maximum would be the estimators' model, not ours.
	rooflineNorm = 5
	// elementwiseEfficiency is the share of HBM bandwidth that norms, rotary embedding, activations and cache writes reach; memory
	// copies of this size measure 0.7 to 0.8.
	elementwiseEfficiency = 0.75
	// allReduceLink is the one-way link rate of the GPUs the all-reduce curves were measured on, B/s.
	allReduceLink = 450e9
	// mostRows is where the table ends; every quantity is proportional to the rows beyond.
	mostRows = 1 << 15
)

// rowCost is what a number of rows costs on one GPU, over all layers.
type rowCost struct {
	gemmPerFLOP float64 // s per FLOP of the layers' and the output matrix products
	stream      float64 // reading the weights these rows touch, s
	gemmExtra   float64 // expert GEMMs beyond gemmPerFLOP, s: few rows each
	memory      float64 // element-wise kernels, s
	reduce      float64 // all-reduces, s
	weightBytes float64
	tensorFLOPs float64 // of the layers, padded to the tile
}

// rowTable holds rowCost by number of rows: exact up to 2^tableBits, interpolated beyond.
type rowTable struct{ cells []rowCost }

func newRowTable(k kernels, m *Cost, model Model, precision string, elementwise float64) rowTable {
	cell := func(rows float64) rowCost {
		c := rowCost{gemmPerFLOP: 1 / (m.peakFLOPS * m.stack.KernelEfficiency * k.efficiency.at(rows))}
		perRow := elementwise / (m.bandwidth * elementwiseEfficiency)
		c.memory = rows * perRow
		if m.tp > 1 {
			c.reduce = 2 * m.layers * k.allReduce.timeAt(rows*2*float64(model.Hidden)*allReduceLink/m.link)
		}
		bytes := bytesPerParameter(precision) / m.tp
		touched := model.touchedExperts(rows)
		layerBytes := (model.attentionParameters() + touched*model.expertParameters()) * bytes
		c.weightBytes = m.layers*layerBytes + model.HeadParameters()*2/m.tp
		c.stream = c.weightBytes / (m.bandwidth * k.stream.at(layerBytes))

		each := rows * model.expertsPerToken() / touched // rows of one expert
		expertFLOPs := 2 * m.layers * model.expertParameters() / m.tp
		c.tensorFLOPs = math.Max(rows, m.tile)*2*m.layers*model.attentionParameters()/m.tp +
			touched*math.Max(each, m.tile)*expertFLOPs
		if model.Experts > 0 {
			work := rows * model.expertsPerToken() * expertFLOPs
			slow := 1 / (m.peakFLOPS * m.stack.KernelEfficiency * k.efficiency.at(each))
			c.gemmExtra = work * (slow - c.gemmPerFLOP)
		}
		return c
	}
	t := rowTable{}
	for i := range gridIndex(mostRows) + 2 {
		t.cells = append(t.cells, cell(gridValue(i)))
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
	a := &t.cells[i]
	if f == 0 && beyond == 1 {
		return *a
	}
	b := &t.cells[i+1]
	return rowCost{
		gemmPerFLOP: a.gemmPerFLOP + f*(b.gemmPerFLOP-a.gemmPerFLOP),
		stream:      a.stream + f*(b.stream-a.stream),
		gemmExtra:   (a.gemmExtra + f*(b.gemmExtra-a.gemmExtra)) * beyond,
		memory:      (a.memory + f*(b.memory-a.memory)) * beyond,
		reduce:      (a.reduce + f*(b.reduce-a.reduce)) * beyond,
		weightBytes: a.weightBytes + f*(b.weightBytes-a.weightBytes),
		tensorFLOPs: (a.tensorFLOPs + f*(b.tensorFLOPs-a.tensorFLOPs)) * beyond,
	}
}
