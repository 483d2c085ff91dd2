package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	timeout = 10 * time.Second
	maxBody = 64 << 20 // of one answer, bytes
	// maxNamed is how many fleets an error names.
	maxNamed = 20
)

var errNoSuchFleet = errors.New("no such fleet")

// The parts of the exporter's answers that are shown. Pointers are nil where a figure is unknown; its OpenAPI document has all of them.
type fleet struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Verdict verdict `json:"verdict"`
	Workers struct {
		Total, Stale, Down int
	} `json:"workers"`
	Objectives struct {
		TTFT, ITL objective
	} `json:"objectives"`
}

type verdict struct {
	Code, Standing, Title, Detail, Direction string
	ConfidenceWord                           string   `json:"confidence_word"`
	WaitsFor                                 string   `json:"waits_for"`
	Confidence                               *float64 `json:"confidence"`
	Loss                                     *float64
	Also                                     []string
	Evidence                                 []evidence
	Source                                   string // "advice" where the words are those of an event
	Since, Told                              int64  // Unix milliseconds, of an event
}

type evidence struct {
	Label, Unit string
	Value       quantile
	Against     *float64
}

type quantile struct {
	Value *float64
	Over  bool
}

type objective struct {
	Max      *float64
	Quantile float64
}

type advice struct {
	Rule, Severity, State, Title, Action, Change string
	Subject                                      string
	SubjectName                                  string `json:"subject_name"`
	ConfidenceWord                               string `json:"confidence_word"`
	AsOf                                         int64  `json:"as_of"` // Unix milliseconds of the last data, where there are none since
	Predicted                                    *struct {
		Name, Unit          string
		From, To, Low, High *float64
	}
	others int // workers beside SubjectName of which the same is said
}

type worker struct {
	ID       string
	Identity struct {
		Instance, Host, Role string
	}
	State struct {
		State     string
		LastHeard int64 `json:"last_heard"`
	}
	Load struct {
		Running, Waiting, KV, Trouble *float64
	}
	Phase struct {
		Prefill, Decode, Idle, Unattributed *float64
	}
	TTFT, ITL map[string]quantile
}

// snapshot is a fleet at one moment.
type snapshot struct {
	at      time.Time
	fleet   *fleet // nil where no engine was seen
	place   int    // of the fleet among all, from 1
	all     []fleet
	advice  []advice // standing
	workers []worker
}

// client reads the API.
type client struct {
	base *url.URL
	http *http.Client
}

func newClient(base *url.URL) *client {
	return &client{base: base, http: &http.Client{Timeout: timeout}}
}

// look returns the fleet of a name or an id, without either the one that is worst off.
func (c *client) look(ctx context.Context, name string) (s snapshot, err error) {
	var answer struct {
		At     int64
		Fleets []fleet
	}
	if err := c.get(ctx, "api/v1/verdict", "", &answer); err != nil {
		return s, err
	}
	s.at, s.all = time.UnixMilli(answer.At), answer.Fleets
	if len(s.all) == 0 {
		return s, nil
	}
	i := choose(s.all, name)
	if i < 0 {
		return s, fmt.Errorf("%w: %q; known are %s", errNoSuchFleet, name, known(s.all))
	}
	s.fleet, s.place = &s.all[i], i+1
	var advices struct{ Advice []advice }
	if err := c.get(ctx, "api/v1/advice", s.fleet.ID, &advices); err != nil {
		return s, err
	}
	s.advice = together(slices.DeleteFunc(advices.Advice, func(a advice) bool { return a.State != "standing" }))
	var workers struct{ Workers []worker }
	if err := c.get(ctx, "api/v1/workers", s.fleet.ID, &workers); err != nil {
		return s, err
	}
	s.workers = workers.Workers
	if len(s.workers) >= worstFrom {
		slices.SortStableFunc(s.workers, worse)
	} else {
		slices.SortStableFunc(s.workers, func(a, b worker) int { return cmp.Compare(order(a), order(b)) })
	}
	return s, nil
}

// worstFrom is how many workers are too many to look for the bad ones, as on the page.
const worstFrom = 50

// worse puts workers that are down first, then silent ones, then the others by how far they miss what is asked of them.
func worse(a, b worker) int {
	state := func(w worker) int { return slices.Index([]string{"down", "stale", w.State.State}, w.State.State) }
	return cmp.Or(cmp.Compare(state(a), state(b)), cmp.Compare(orZero(b.Load.Trouble), orZero(a.Load.Trouble)))
}

// together makes one of what is said alike of several workers, in the order of the first.
func together(all []advice) (kinds []advice) {
	type kind struct{ rule, change string }
	places := map[kind]int{}
	for _, a := range all {
		k := kind{a.Rule, a.Change}
		if i, ok := places[k]; ok && a.Subject == "worker" {
			kinds[i].others++
			continue
		}
		places[k] = len(kinds)
		kinds = append(kinds, a)
	}
	return kinds
}

// order puts prefill before decode before the others.
func order(w worker) int {
	return slices.Index([]string{"prefill", "decode", w.Identity.Role}, w.Identity.Role)
}

// choose returns the place of a fleet by its name or id, without either of the one that loses most; -1 for none.
func choose(all []fleet, name string) int {
	if name != "" {
		return slices.IndexFunc(all, func(f fleet) bool { return f.Name == name || f.ID == name })
	}
	worst := 0
	for i, f := range all {
		if cost(f) > cost(all[worst]) || (all[worst].Name == "" && f.Name != "") { // one without a name never answered
			worst = i
		}
	}
	return worst
}

// known names the first of the fleets.
func known(all []fleet) string {
	var names []string
	for _, f := range all[:min(len(all), maxNamed)] {
		names = append(names, fmt.Sprintf("%q", f.Name))
	}
	if more := len(all) - maxNamed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func cost(f fleet) float64 { return orZero(f.Verdict.Loss) * orZero(f.Verdict.Confidence) }

func orZero(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

func (c *client) get(ctx context.Context, path, fleet string, into any) error {
	at := c.base.JoinPath(path)
	if fleet != "" {
		at.RawQuery = url.Values{"fleet": {fleet}}.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	answer, err := c.http.Do(r)
	if err != nil {
		return err // names the method and the address
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", at, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxBody)).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}
