package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

// restart begins the worker's windows anew after the clock was set. What was learnt stays, as over a restart of the collector. It never asks to
// forget the worker.
func (w *worker) restart() (forget bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aligner.Restart()
	if w.ended > 0 {
		w.kept = w.ended
	}
	w.facts.eventsAt = 0
	w.ended = 0 // sums begin anew, wherever the next window lies
	return false
}
