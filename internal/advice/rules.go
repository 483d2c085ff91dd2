package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "slices"

// Rules lists all rules.
func Rules() []Rule {
	return slices.Concat(phaseRules(), schedulingRules(), fleetRules(), kvRules(), transferRules(), topologyRules())
}
