package engine

import (
	"slices"
	"strconv"
	"strings"
)

// mostAdapterSeries is how many series of LoRA adapters a page may get. vLLM knows no limit.
const mostAdapterSeries = 1000

const adapterName = "vllm:lora_requests_info"

// adapterSeries are the series of LoRA adapters. Each combination of those that run and those that wait is a series of its own,
// whose value is the last time it was so. The ones of before stay on the page: the newest is the one that holds.
type adapterSeries struct {
	family *family             // nil without LoRA
	times  map[string]*float64 // by labels

	running, waiting []string // of the last step
	at               *float64 // their series
}

// adapterFamily adds the family of LoRA adapters. It has no labels of model and engine, and its series come while it runs.
func (p *vllmPage) adapterFamily() {
	if p.facts.MaxAdapters > 0 {
		p.lora = adapterSeries{family: p.sheet.gauge(adapterName, "LoRA adapters that run and wait; the newest series holds."), times: make(map[string]*float64)}
	}
}

// adapters sets the series of the adapters that run and wait to the time of the step.
func (p *vllmPage) adapters(t *Step) {
	l := &p.lora
	if l.family == nil {
		return
	}
	if l.at == nil || !slices.Equal(l.running, t.RunningAdapters) || !slices.Equal(l.waiting, t.WaitingAdapters) {
		l.running, l.waiting = append(l.running[:0], t.RunningAdapters...), append(l.waiting[:0], t.WaitingAdapters...)
		l.at = p.adapterTime(labelText([]label{
			{"max_lora", strconv.Itoa(p.facts.MaxAdapters)},
			{"waiting_lora_adapters", strings.Join(t.WaitingAdapters, ",")},
			{"running_lora_adapters", strings.Join(t.RunningAdapters, ",")},
		}, p.sheet.form.sorted))
	}
	*l.at = unixSeconds(p.facts.Start.Add(t.End))
}

// adapterTime finds the series with the labels or makes it, in place of the oldest if there are too many.
func (p *vllmPage) adapterTime(labels string) *float64 {
	l := &p.lora
	if at, ok := l.times[labels]; ok {
		return at
	}
	if len(l.family.series) == mostAdapterSeries {
		oldest := l.family.series[0].(*sample)
		delete(l.times, strings.TrimSuffix(strings.TrimPrefix(oldest.text, adapterName), " "))
		l.family.series = slices.Delete(l.family.series, 0, 1)
	}
	at := new(float64)
	l.times[labels] = at
	l.family.series = append(l.family.series, newSample(adapterName+labels, point{at: at}, p.sheet.form.fraction))
	return at
}
