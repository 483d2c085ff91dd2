package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// DeploymentRule says what the workers that it matches are, where engine and joined GPUs do not tell. Empty fields say nothing.
type DeploymentRule struct {
	Match GPUMatch `mapstructure:"match"`
	// Model is the name under which facts know the model, where it is served under another.
	Model string `mapstructure:"model"`
	// GPU is the name of the GPUs, as hw.name or as facts know it.
	GPU string `mapstructure:"gpu"`
	// TensorParallel is over how many GPUs each layer is spread.
	TensorParallel int `mapstructure:"tensor_parallel"`
	// Precision of the weights: bf16, fp8, fp4 or int4.
	Precision string `mapstructure:"precision"`

	_ struct{}
}

func validateDeployments(rules []DeploymentRule) error {
	var errs []error
	for i, r := range rules {
		if r.TensorParallel < 0 || r.TensorParallel > maxTensorParallel {
			errs = append(errs, fmt.Errorf("deployments[%d].tensor_parallel must be between 0 and %d (got %d)", i, maxTensorParallel, r.TensorParallel))
		}
		switch r.Precision {
		case "", facts.BF16, facts.FP8, facts.FP4, facts.INT4:
		default:
			errs = append(errs, fmt.Errorf("deployments[%d].precision must be bf16, fp8, fp4 or int4 (got %q)", i, r.Precision))
		}
	}
	return errors.Join(errs...)
}

// unspread are the rules that name GPUs and not over how many of them a layer is spread. 1 is not taken for it: steps of a model on four
// GPUs would be priced at four times their work.
func unspread(rules []DeploymentRule) (numbers []int) {
	for i, r := range rules {
		if r.GPU != "" && r.TensorParallel == 0 {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// maxTensorParallel is more than any machine spreads a layer over.
const maxTensorParallel = 1024

// fits reports whether the rule speaks of the worker of that resource.
func (r *DeploymentRule) fits(worker pcommon.Map) bool {
	return objectives.Glob(r.Match.Instance, derive.Text(worker, signal.AttrServiceInstanceID)) &&
		objectives.Glob(r.Match.Host, derive.Text(worker, signal.AttrHostName)) &&
		objectives.Glob(r.Match.Model, derive.Text(worker, signal.AttrModel))
}
