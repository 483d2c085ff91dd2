// Package advice turns what is measured of workers, fleets and transfer agents into advice and a verdict: what is wrong, on what
// evidence, what to change, what that should do, and afterwards what it did.
//
// A Rule looks at a Reading, the trailing minute of one subject, and says what it finds. The Advisor around the rules holds what
// they must not care about: windows in data time, raising after some windows and clearing after others, no repeats, cool-down, the
// verification of what was predicted, and the record of how often it was right. It knows nothing of OpenTelemetry.
package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"
