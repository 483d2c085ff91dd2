package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// Tenant is a worker on a device that others use too, over an interval.
type Tenant struct {
	// Held is the share of the device that it holds whether it runs or not: one over the tenants, or a MIG device's slices over all
	// slices. Those of all tenants are at most 1.
	Held float64
	// Active is how much of the time it kept the device busy, 0..1, weighted by the slices it holds in the case of MIG.
	Active float64
}

// DivideDevice divides what a device spent over an interval between its tenants. idle is what it would have spent had nobody run, which
// goes by what tenants hold; the rest goes by how active they were, others' activity being that of processes that are no tenant's.
// What falls to nobody is rest; parts and rest add up to amount, which is not negative. parts is written, one for each tenant.
func DivideDevice(amount, idle float64, tenants []Tenant, others float64, parts []float64) (rest float64) {
	idle = min(max(0, idle), amount)
	active, held := max(0, others), 0.0
	for _, t := range tenants {
		active += t.Active
		held += t.Held
	}
	if active <= 0 {
		idle = amount // nobody ran
	}
	rest = amount
	for i, t := range tenants {
		parts[i] = idle * t.Held / max(1, held)
		if active > 0 {
			parts[i] += (amount - idle) * t.Active / active
		}
		rest -= parts[i]
	}
	return max(0, rest)
}
