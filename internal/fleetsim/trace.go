package fleetsim

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// TraceFormat names the form of a trace file.
type TraceFormat string

// Trace formats. Auto goes by the file's name: .csv is Azure, .jsonl Mooncake, each also with .gz or .zst.
const (
	AutoFormat     TraceFormat = "auto"
	AzureFormat    TraceFormat = "azure"    // CSV: TIMESTAMP, ContextTokens, GeneratedTokens
	MooncakeFormat TraceFormat = "mooncake" // JSON lines: timestamp (ms), input_length, output_length, hash_ids of 512 tokens
)

// mooncakeHashTokens is the length of prompt that one hash_ids entry stands for.
const mooncakeHashTokens = 512

// Trace replays recorded arrivals.
type Trace struct {
	Path   string
	Format TraceFormat // empty is Auto
	Load   float64     // multiplier of the recorded request rate, over the whole fleet
	Loop   bool        // start over when the trace ends
}

func (t Trace) open(*figures, *rand.Rand) (source, error) {
	if !(t.Load > 0) || math.IsInf(t.Load, 0) {
		return nil, fmt.Errorf("workload.trace.load: must be above 0, is %g", t.Load)
	}
	parse, err := t.parser()
	if err != nil {
		return nil, err
	}
	s := &traceSource{cfg: t, parse: parse}
	if err := s.rewind(); err != nil {
		return nil, err
	}
	return s, nil
}

// lineParser reads one line; false for a header. The time is in seconds on the trace's own scale.
type lineParser func(line string) (r Request, at float64, ok bool, err error)

func (t Trace) parser() (lineParser, error) {
	format := t.Format
	if format == "" || format == AutoFormat {
		name := strings.TrimSuffix(strings.TrimSuffix(t.Path, ".gz"), ".zst")
		switch {
		case strings.HasSuffix(name, ".csv"):
			format = AzureFormat
		case strings.HasSuffix(name, ".jsonl"):
			format = MooncakeFormat
		default:
			return nil, fmt.Errorf("workload.trace.format: auto cannot tell from the name %q (.csv or .jsonl); set azure or mooncake", t.Path)
		}
	}
	switch format {
	case AzureFormat:
		return parseAzure, nil
	case MooncakeFormat:
		return parseMooncake, nil
	}
	return nil, fmt.Errorf("workload.trace.format: must be auto, azure or mooncake, is %q", t.Format)
}

func parseAzure(line string) (Request, float64, bool, error) {
	fields := strings.Split(line, ",")
	if len(fields) != 3 {
		return Request{}, 0, false, fmt.Errorf("want 3 fields TIMESTAMP,ContextTokens,GeneratedTokens, got %q", line)
	}
	if fields[0] == "TIMESTAMP" {
		return Request{}, 0, false, nil
	}
	at, err := time.Parse("2006-01-02 15:04:05", fields[0])
	if err != nil {
		return Request{}, 0, false, fmt.Errorf("TIMESTAMP %q: want YYYY-MM-DD hh:mm:ss.fffffff", fields[0])
	}
	r := Request{}
	for i, dst := range []*int{&r.PromptTokens, &r.OutputTokens} {
		if *dst, err = strconv.Atoi(fields[i+1]); err != nil || *dst < 1 {
			return Request{}, 0, false, fmt.Errorf("%s %q: want a whole number of at least 1", []string{"ContextTokens", "GeneratedTokens"}[i], fields[i+1])
		}
	}
	return r, float64(at.UnixNano()) / 1e9, true, nil
}

func parseMooncake(line string) (Request, float64, bool, error) {
	var row struct {
		Timestamp *float64 `json:"timestamp"`
		Input     int      `json:"input_length"`
		Output    int      `json:"output_length"`
		HashIDs   []uint64 `json:"hash_ids"`
	}
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		return Request{}, 0, false, fmt.Errorf("%w in %.120q", err, line)
	}
	switch {
	case row.Timestamp == nil:
		return Request{}, 0, false, errors.New("timestamp: missing")
	case row.Input < 1:
		return Request{}, 0, false, fmt.Errorf("input_length: must be at least 1, is %d", row.Input)
	case row.Output < 1:
		return Request{}, 0, false, fmt.Errorf("output_length: must be at least 1, is %d", row.Output)
	}
	r := Request{PromptTokens: row.Input, OutputTokens: row.Output, HashIDs: row.HashIDs, HashTokens: mooncakeHashTokens}
	return r, *row.Timestamp / 1e3, true, nil
}

// traceSource reads a trace file line by line.
type traceSource struct {
	openLoop
	cfg   Trace
	parse lineParser

	file  *os.File
	unzip io.Closer
	lines *bufio.Scanner
	line  int

	count       int     // requests in this pass
	first, last float64 // times of its first and latest request, s on the trace's scale
	offset      float64 // where this pass starts, s on the trace's scale
}

// rewind opens the file at its beginning.
func (s *traceSource) rewind() error {
	file, err := os.Open(s.cfg.Path)
	if err != nil {
		return fmt.Errorf("workload.trace.path: %w", err)
	}
	s.file, s.unzip = file, io.NopCloser(nil)
	var r io.Reader = file
	switch {
	case strings.HasSuffix(s.cfg.Path, ".gz"):
		z, err := gzip.NewReader(file)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.cfg.Path, err), file.Close())
		}
		r, s.unzip = z, z
	case strings.HasSuffix(s.cfg.Path, ".zst"):
		z, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.cfg.Path, err), file.Close())
		}
		r, s.unzip = z, z.IOReadCloser()
	}
	s.lines = bufio.NewScanner(r)
	s.lines.Buffer(nil, 1<<20)
	s.line, s.count = 0, 0
	return nil
}

func (s *traceSource) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.unzip.Close(), s.file.Close())
	s.file = nil
	return err
}

func (s *traceSource) next() (Request, bool, error) {
	for {
		if s.file == nil {
			return Request{}, false, nil
		}
		if !s.lines.Scan() {
			if err := s.endOfPass(); err != nil {
				return Request{}, false, err
			}
			continue
		}
		s.line++
		text := strings.TrimSpace(s.lines.Text())
		if text == "" {
			continue
		}
		r, at, ok, err := s.parse(text)
		if err == nil && ok && s.count > 0 && at < s.last {
			err = fmt.Errorf("time goes back by %g s", s.last-at)
		}
		if err != nil {
			return Request{}, false, fmt.Errorf("%s:%d: %w", s.cfg.Path, s.line, err)
		}
		if !ok {
			continue
		}
		if s.count == 0 {
			s.first = at
		}
		s.last = at
		s.count++
		r.At = time.Duration((s.offset + at - s.first) / s.cfg.Load * float64(time.Second))
		return r, true, nil
	}
}

// endOfPass closes the file, or goes back to its beginning one mean interval after the last request.
func (s *traceSource) endOfPass() error {
	if err := s.lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", s.cfg.Path, s.line+1, err)
	}
	if s.count == 0 {
		return fmt.Errorf("%s: no requests", s.cfg.Path)
	}
	if err := s.close(); err != nil {
		return err
	}
	if !s.cfg.Loop {
		return nil
	}
	if s.last == s.first {
		return fmt.Errorf("%s: all requests arrive at once, which cannot be repeated", s.cfg.Path)
	}
	length := s.last - s.first
	s.offset += length + length/float64(max(s.count-1, 1))
	return s.rewind()
}
