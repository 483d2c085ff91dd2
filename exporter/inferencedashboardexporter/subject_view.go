package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "reflect"

// subjectView is one subject with its figures. A message of the stream leaves out the sections that did not change.
type subjectView struct {
	ID       string                 `json:"id"`
	Kind     subjectKind            `json:"kind"`
	Name     string                 `json:"name"`
	Host     string                 `json:"host"`
	Instance string                 `json:"instance"` // what identifies it on its host: service.instance.id, hw.id, the agent's name
	FleetID  string                 `json:"fleet_id"` // "" where it is of no fleet
	Sections map[string]sectionView `json:"sections"`
	// Silent is when a section was last heard of, Unix milliseconds, where all of its figures have fallen silent.
	Silent map[string]int64 `json:"silent,omitempty"`
}

// sectionView is the figures of a section, by metric.
type sectionView map[string][]figureView

// figureView is one number and the values of the attributes that tell it apart, in the vocabulary's order. Rates are per second.
type figureView struct {
	Of    []string `json:"of"`
	Value number   `json:"value"`
}

// since returns s without the sections that are as before. A section that ended is there, and empty.
func (s subjectView) since(before *subjectView) (subjectView, bool) {
	d := s
	d.Sections = map[string]sectionView{}
	for name, section := range s.Sections {
		if !reflect.DeepEqual(before.Sections[name], section) {
			d.Sections[name] = section
		}
	}
	for name := range before.Sections {
		if _, ok := s.Sections[name]; !ok {
			d.Sections[name] = sectionView{}
		}
	}
	changed := len(d.Sections) > 0 || !reflect.DeepEqual(s.Silent, before.Silent) || s.Name != before.Name || s.FleetID != before.FleetID
	return d, changed
}
