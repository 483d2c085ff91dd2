package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import "fmt"

// outcome is how a scrape ended; metadata.yaml lists them.
type outcome string

const (
	outcomeSuccess     outcome = "success"
	outcomeConnection  outcome = "connection"
	outcomeTimeout     outcome = "timeout"
	outcomeHTTPStatus  outcome = "http_status"
	outcomeContentType outcome = "content_type"
	outcomeEmpty       outcome = "empty"
	outcomeTooLarge    outcome = "too_large"
	outcomeMalformed   outcome = "malformed"
)

// failure is why a scrape has no points.
type failure struct {
	outcome outcome
	err     error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(how outcome, format string, args ...any) *failure {
	return &failure{how, fmt.Errorf(format, args...)}
}
