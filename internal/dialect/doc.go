// Package dialect translates what inference engines call their metrics into the vocabulary of internal/signal.
//
// Each engine has one table: data, not code. A row names a family of the engine, what kind it is, which metric it becomes, what
// its labels become and in what unit it counts; or it says why the family is ignored. Load checks the tables against the
// vocabulary and makes a Set that resolves the name of a raw series to a row and reads the series' labels through it.
//
// The package knows no transport and no exposition format: it takes names, types and labels as plain strings, so that the
// llm_engine receiver and a processor for metrics scraped by others can share it.
package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"
