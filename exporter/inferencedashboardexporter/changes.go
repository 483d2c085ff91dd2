package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"encoding/json"
	"reflect"
)

// message is one message of the stream. The first one of a page carries everything, the later ones what changed since.
type message struct {
	At      int64        `json:"at"`
	Fleets  []fleetView  `json:"fleets,omitempty"`
	Workers []workerView `json:"workers,omitempty"`
	Gone    []string     `json:"gone,omitempty"` // ids of workers and fleets that are no more

	Subjects     []subjectView `json:"subjects,omitempty"`
	GoneSubjects []string      `json:"gone_subjects,omitempty"` // ids of those that are no more; a worker's is also that of its subject
	Advice       *[]adviceView `json:"advice,omitempty"`        // all of it where any changed
	Cost         *costView     `json:"cost,omitempty"`
	Scope        *scopeView    `json:"scope,omitempty"` // where it changed
}

func (m message) empty() bool {
	return len(m.Fleets) == 0 && len(m.Workers) == 0 && len(m.Gone) == 0 && len(m.Subjects) == 0 && len(m.GoneSubjects) == 0 &&
		m.Advice == nil && m.Scope == nil // the cost alone is no news: it goes with the next message
}

// changes returns what a page has to be told to get from before to after.
func changes(before, after *snapshot) message {
	m := message{At: after.At}
	workers := make(map[string]*workerView, len(before.Workers))
	for i := range before.Workers {
		workers[before.Workers[i].ID] = &before.Workers[i]
	}
	for _, w := range after.Workers {
		if old := workers[w.ID]; old == nil {
			m.Workers = append(m.Workers, w)
		} else if d, changed := w.since(old); changed {
			m.Workers = append(m.Workers, d)
		}
		delete(workers, w.ID)
	}
	fleets := make(map[string]*fleetView, len(before.Fleets))
	for i := range before.Fleets {
		fleets[before.Fleets[i].ID] = &before.Fleets[i]
	}
	for _, f := range after.Fleets {
		if old := fleets[f.ID]; old == nil {
			m.Fleets = append(m.Fleets, f)
		} else if d, changed := f.since(old); changed {
			m.Fleets = append(m.Fleets, d)
		}
		delete(fleets, f.ID)
	}
	for id := range workers {
		m.Gone = append(m.Gone, id)
	}
	for id := range fleets {
		m.Gone = append(m.Gone, id)
	}
	m.Subjects, m.GoneSubjects = subjectChanges(before.Subjects, after.Subjects)
	if !reflect.DeepEqual(before.Advice, after.Advice) {
		m.Advice = &after.Advice
	}
	m.Cost = &after.Cost
	if before.Scope != after.Scope {
		m.Scope = &after.Scope
	}
	return m
}

func subjectChanges(before, after []subjectView) (told []subjectView, gone []string) {
	known := make(map[string]*subjectView, len(before))
	for i := range before {
		known[before[i].ID] = &before[i]
	}
	for _, s := range after {
		if old := known[s.ID]; old == nil {
			told = append(told, s)
		} else if d, changed := s.since(old); changed {
			told = append(told, d)
		}
		delete(known, s.ID)
	}
	for id := range known {
		gone = append(gone, id)
	}
	return told, gone
}

// since returns w without the groups that are as before.
func (w workerView) since(before *workerView) (workerView, bool) {
	d := workerView{
		ID: w.ID, Identity: changed(before.Identity, w.Identity), State: changed(before.State, w.State),
		Load: changed(before.Load, w.Load), Phase: changed(before.Phase, w.Phase),
		TTFT: changed(before.TTFT, w.TTFT), ITL: changed(before.ITL, w.ITL), Estimate: changed(before.Estimate, w.Estimate),
		Conditions: changed(before.Conditions, w.Conditions),
	}
	return d, d != workerView{ID: w.ID}
}

// since returns f without the groups that are as before.
func (f fleetView) since(before *fleetView) (fleetView, bool) {
	d := fleetView{
		ID: f.ID, Name: f.Name, Workers: changed(before.Workers, f.Workers), Phase: changed(before.Phase, f.Phase),
		TTFT: changed(before.TTFT, f.TTFT), ITL: changed(before.ITL, f.ITL), Objectives: changed(before.Objectives, f.Objectives),
		Conditions: changed(before.Conditions, f.Conditions),
	}
	if !reflect.DeepEqual(before.Verdict, f.Verdict) {
		d.Verdict = f.Verdict
	}
	return d, d != fleetView{ID: f.ID, Name: f.Name}
}

// changed returns after where it differs from before, else nil.
func changed[T comparable](before, after *T) *T {
	if *before == *after {
		return nil
	}
	return after
}

// event writes a message in the format of server-sent events. Its JSON holds no line breaks.
func event(name string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, 0, len(name)+len(body)+16)
	frame = append(frame, "event: "...)
	frame = append(frame, name...)
	frame = append(frame, "\ndata: "...)
	frame = append(frame, body...)
	return append(frame, "\n\n"...), nil
}
