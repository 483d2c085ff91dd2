package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// GPURule says which GPUs the workers that it matches run on. A worker and a GPU that both tell their host are joined on one host
// only.
type GPURule struct {
	Match GPUMatch `mapstructure:"match"`
	// IDs are globs over hw.id (GPU-<uuid>, MIG-<uuid>) or the PCI bus id; any may fit.
	IDs []string `mapstructure:"ids"`

	_ struct{}
}

// GPUMatch selects workers by globs (* any text, ? one character); an empty glob matches everything.
type GPUMatch struct {
	Instance string `mapstructure:"instance"` // service.instance.id
	Host     string `mapstructure:"host"`     // host.name
	Model    string `mapstructure:"model"`    // gen_ai.request.model

	_ struct{}
}

func validateGPUs(rules []GPURule) error {
	var errs []error
	for i, r := range rules {
		if len(r.IDs) == 0 {
			errs = append(errs, fmt.Errorf("gpus[%d].ids must have at least 1 entry (got 0)", i))
		}
		for j, id := range r.IDs {
			if id == "" {
				errs = append(errs, fmt.Errorf("gpus[%d].ids[%d] must not be empty (got \"\")", i, j))
			}
		}
	}
	return errors.Join(errs...)
}

// fits reports whether the rule joins the worker of that resource and the GPU.
func (r *GPURule) fits(worker pcommon.Map, g *gpu) bool {
	host := derive.Text(worker, signal.AttrHostName)
	if host != "" && g.host != "" && host != g.host {
		return false
	}
	if !objectives.Glob(r.Match.Instance, derive.Text(worker, signal.AttrServiceInstanceID)) || !objectives.Glob(r.Match.Host, host) ||
		!objectives.Glob(r.Match.Model, derive.Text(worker, signal.AttrModel)) {
		return false
	}
	for _, id := range r.IDs {
		if objectives.Glob(id, g.id) || g.bus != "" && objectives.Glob(id, g.bus) {
			return true
		}
	}
	return false
}
