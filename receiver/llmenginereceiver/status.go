package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// statuses are the component statuses that receivers report to, by the host that takes them. The service gives each component of the
// configuration a host of its own; receiver_creator gives its own to every receiver that it starts, so that these share one status.
type statuses struct {
	mu     sync.Mutex
	byHost map[component.Host]*status
}

func newStatuses() *statuses { return &statuses{byHost: make(map[component.Host]*status)} }

// status is how the endpoints and streams of all receivers with one host are. It is safe for concurrent use.
type status struct {
	all    *statuses
	host   component.Host
	users  int  // guarded by all.mu
	shared bool // the host can be told from others, so that all.byHost has it

	mu    sync.Mutex
	sizes standings
	ill   standings
}

// standings are numbers of endpoints and streams.
type standings struct{ endpoints, streams int }

func (s *standings) add(more standings) {
	s.endpoints += more.endpoints
	s.streams += more.streams
}

func (s standings) negative() standings { return standings{-s.endpoints, -s.streams} }

// open returns the status of a host. Hosts that cannot be compared have one for each receiver.
func (s *statuses) open(host component.Host) *status {
	if !reflect.ValueOf(host).Comparable() {
		return &status{host: host}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byHost[host]
	if one == nil {
		one = &status{all: s, host: host, shared: true}
		s.byHost[host] = one
	}
	one.users++
	return one
}

func (s *status) close() {
	if !s.shared {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(s.all.byHost, s.host)
	}
}

// enter counts endpoints and streams of a receiver that were not there.
func (s *status) enter(more standings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes.add(more)
}

// change takes how many more of a receiver are in trouble, and the last that changed: recoverable errors while there are any over all
// receivers, and OK when there is none. Reports are made in the order of the changes.
func (s *status) change(more standings, last error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill.add(more)
	s.report(last)
}

// leave takes back all that a receiver counted. receiver_creator keeps what a receiver said that is no more; a collector that stops as a
// whole does not listen any more.
func (s *status) leave(sizes, ill standings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes.add(sizes.negative())
	s.ill.add(ill.negative())
	if ill != (standings{}) {
		s.report(errGone)
	}
}

var errGone = errors.New("one is not observed any more")

func (s *status) report(last error) {
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	switch {
	case s.ill.endpoints > 0:
		event = componentstatus.NewRecoverableErrorEvent(
			fmt.Errorf("%d of %d endpoints cannot be scraped; the last change: %w", s.ill.endpoints, s.sizes.endpoints, last))
	case s.ill.streams > 0:
		event = componentstatus.NewRecoverableErrorEvent(
			fmt.Errorf("all endpoints answer; %d of %d streams are in trouble; the last change: %w", s.ill.streams, s.sizes.streams, last))
	}
	componentstatus.ReportStatus(s.host, event)
}
