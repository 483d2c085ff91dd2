package signal

// Metrics that several components emit have one declaration: a backend keeps one description per name.

func sourceMissing(component string) Metric {
	return Metric{
		SourceMissing, Gauge, "1", []string{AttrSource, AttrSourceHint}, component,
		"Always 1: an input that would sharpen an estimate and is off, with what switches it on in this engine and version.",
	}
}

func coverage(component string) Metric {
	return Metric{
		Coverage, Gauge, "1", []string{AttrEstimate}, component,
		"Share of the needed input that was seen. kv_reuse: hit tokens of events over those of the engine's counter, or the other way round when " +
			"events show more; kv_duplicates: workers whose blocks are known over the workers of the fleet; otherwise the share of the expected " +
			"workers that were seen. Below 0.9 what speaks of the whole fleet is withheld.",
	}
}

func confidence(component string) Metric {
	return Metric{
		EstimateConfidence, Gauge, "1", []string{AttrEstimate, AttrEstimateMethod}, component,
		"Confidence of an estimate, 0..1: HIGH from 0.8, MED from 0.5, LOW below. The method is an attribute here and nowhere else.",
	}
}

func withheld(component string) Metric {
	return Metric{
		EstimateWithheld, Sum, "{estimate}", []string{AttrEstimate, AttrReason}, component,
		"Windows in which an estimate was withheld, by reason.",
	}
}
