package physics

import (
	"errors"
	"fmt"
)

// Deployment is one model on one group of GPUs; the names are rows of Figures.
type Deployment struct {
	Model          string
	GPU            string
	Stack          string  // serving software
	Precision      string  // of the layer weights: bf16 or fp8
	KVPrecision    string  // of keys and values: bf16 or fp8; empty means bf16
	TensorParallel int     // GPUs of the group: 1, 2, 4 or 8
	PowerLimit     float64 // of each GPU, W; 0 means its TDP
	DraftShare     float64 // cost of one pass of the draft model relative to a decode step of the model; 0: drafts are free
}

// check reports every bound that the figures alone do not settle.
func (d Deployment) check(gpu GPU) error {
	var errs []error
	switch d.TensorParallel {
	case 1, 2, 4, 8:
	default:
		errs = append(errs, fmt.Errorf("tensor_parallel: must be 1, 2, 4 or 8, is %d", d.TensorParallel))
	}
	if d.PowerLimit != 0 && !(d.PowerLimit >= gpu.MinimumPowerLimit && d.PowerLimit <= gpu.TDP) {
		errs = append(errs, fmt.Errorf("power_limit: must be from %g to %g W on %s, or 0 for its TDP, is %g",
			gpu.MinimumPowerLimit, gpu.TDP, d.GPU, d.PowerLimit))
	}
	if !(d.DraftShare >= 0 && d.DraftShare <= 1) {
		errs = append(errs, fmt.Errorf("draft_share: must be from 0 to 1, is %g", d.DraftShare))
	}
	return errors.Join(errs...)
}

// NewCost prepares the cost of steps of a deployment; errors name key, bound and value.
func (f *Figures) NewCost(d Deployment) (*Cost, error) {
	gpu, errGPU := Pick("gpu", d.GPU, f.GPUs)
	model, errModel := Pick("model", d.Model, f.Models)
	stack, errStack := Pick("stack", d.Stack, f.Stacks)
	if err := errors.Join(errGPU, errModel, errStack); err != nil {
		return nil, err
	}
	peak, err := Pick("precision", d.Precision, gpu.PeakFLOPS)
	if err := errors.Join(err, d.check(gpu)); err != nil {
		return nil, err
	}
	if d.KVPrecision == "" {
		d.KVPrecision = bf16
	}
	if _, err := Pick("kv_precision", d.KVPrecision, gpu.DecodeAttention); err != nil {
		return nil, err
	}
	return newCost(d, gpu, model, stack, peak)
}
