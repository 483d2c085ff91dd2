package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxListed is how many fleets an error names.
	maxListed = 20
	// maxFilter bounds the filter of a stream, in bytes. The page's field takes 200 characters.
	maxFilter = 800
)

// fleetID returns the id of the fleet that ?fleet= asks for by its id or its name, "" where it asks for none.
func (s *snapshot) fleetID(r *http.Request) (string, error) {
	asked := r.URL.Query().Get("fleet")
	if asked == "" {
		return "", nil
	}
	var found []fleetView
	for _, f := range s.Fleets {
		if f.ID == asked || f.Name == asked {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		return "", fmt.Errorf("fleet: must be the id or the name of a fleet; known are %s", list(s.Fleets))
	}
	return "", fmt.Errorf("fleet: is the name of one fleet and the id of another; ask by id: %s", list(found))
}

// list names fleets with their ids.
func list(fleets []fleetView) string {
	if len(fleets) == 0 {
		return "none yet"
	}
	var names []string
	for _, f := range fleets[:min(len(fleets), maxListed)] {
		names = append(names, fmt.Sprintf("%q (%s)", f.Name, f.ID))
	}
	if more := len(fleets) - maxListed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// parseLook reads what a page looks at.
func parseLook(q url.Values) (look, error) {
	l := look{fleet: q.Get("fleet"), worker: q.Get("worker"), filter: strings.Join(strings.Fields(strings.ToLower(q.Get("filter"))), " ")}
	if len(l.filter) > maxFilter {
		return look{}, fmt.Errorf("filter: must be at most %d bytes (got %d)", maxFilter, len(l.filter))
	}
	if from := q.Get("from"); from != "" {
		n, err := strconv.Atoi(from)
		if err != nil || n < 0 || n > maxWorkersLimit {
			return look{}, errors.New("from: must be 0.." + strconv.Itoa(maxWorkersLimit))
		}
		l.from = n
	}
	return l, nil
}
