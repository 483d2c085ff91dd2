package grafana

// Values of attributes that the vocabulary lists in the descriptions of its metrics, not as constants.
const (
	missCapacity     = "capacity"
	missGenerated    = "generated"
	stateFailed      = "failed"
	statePredicted   = "predicted_failure"
	errorUncorrected = "uncorrected"
	throttleHWHeat   = "hw_thermal"
	finishError      = "error"
)
