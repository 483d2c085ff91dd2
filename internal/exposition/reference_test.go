package exposition

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// sample is one number of a page in canonical words: a value, or a cumulative bucket, the sum or the count of a histogram.
type sample struct{ rank, model, metric, attributes, what string }

// reference reads a page the slow and simple way: textparse with labels, no memory, one lookup for each series.
func reference(t testing.TB, set *dialect.Set, page []byte, openMetrics bool) map[sample]float64 {
	t.Helper()
	p := textparse.NewPromParser(page, labels.NewSymbolTable(), false)
	if openMetrics {
		p = textparse.NewOpenMetricsParser(page, labels.NewSymbolTable())
	}
	values, from := make(map[sample]float64), make(map[sample]*dialect.Family)
	shown := make(map[int]bool)
	declared, declaredType := "", ""
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch entry {
		case textparse.EntryType:
			name, typ := p.Type()
			declared, declaredType = string(name), string(typ)
		case textparse.EntrySeries:
			_, _, v := p.Series()
			var l labels.Labels
			p.Labels(&l)
			name, typ := l.Get("__name__"), ""
			if declared != "" && strings.HasPrefix(name, declared) {
				typ = declaredType
			}
			m, s := set.Find(name, typ, maps.All(l.Map()))
			if m.Verdict != dialect.Known || m.Part == dialect.Created {
				continue
			}
			for _, r := range s.Rows {
				f := r.Family
				shown[f.Index] = true
				if f.Kind == dialect.Info {
					continue
				}
				key := sample{s.Rank, s.Model, f.Metric.Name, written(r.Attributes), partName(t, m, f, s.Bound)}
				scaled := v
				if m.Part == dialect.Sum || m.Part == dialect.Value {
					scaled = f.Scale.Apply(v)
				}
				old := from[key]
				if better := old != nil && slices.Contains(old.Yields, f.Index); old == nil || better {
					values[key], from[key] = scaled, f
				}
			}
		}
	}
	for key, f := range from {
		if slices.ContainsFunc(f.Yields, func(i int) bool { return shown[i] }) {
			delete(values, key)
		}
	}
	return values
}

func partName(t testing.TB, m dialect.Match, f *dialect.Family, le string) string {
	t.Helper()
	switch m.Part {
	case dialect.Bucket:
		bound, err := strconv.ParseFloat(le, 64)
		require.NoError(t, err)
		return bucketName(f.Scale.Apply(bound))
	case dialect.Sum:
		return "sum"
	case dialect.Count:
		return "count"
	}
	return "value"
}

func bucketName(bound float64) string { return fmt.Sprintf("le %v", bound) }

func written(attributes []dialect.Attribute) string {
	var all []string
	for _, a := range attributes {
		all = append(all, a.Key+"="+a.Value)
	}
	slices.Sort(all)
	return "{" + strings.Join(all, " ") + "}"
}

// samples takes metrics apart into what reference gives.
func samples(md pmetric.Metrics) map[sample]float64 {
	all := make(map[sample]float64)
	own := []string{signal.Up, signal.EngineInfo, signal.SourceDrift, signal.SourceMissing, signal.RequestHandoffs, signal.TokensUnaccounted}
	for _, rm := range md.ResourceMetrics().All() {
		instance, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
		model, _ := rm.Resource().Attributes().Get(signal.AttrModel)
		_, rank, ok := strings.Cut(instance.Str(), "/dp")
		if !ok {
			rank = "0"
		}
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if slices.Contains(own, m.Name()) {
				continue
			}
			key := sample{rank: rank, model: model.Str(), metric: m.Name(), what: "value"}
			switch m.Type() {
			case pmetric.MetricTypeGauge:
				take(all, key, m.Gauge().DataPoints())
			case pmetric.MetricTypeSum:
				take(all, key, m.Sum().DataPoints())
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					takeHistogram(all, key, p)
				}
			}
		}
	}
	return all
}

func take(all map[sample]float64, key sample, points pmetric.NumberDataPointSlice) {
	for _, p := range points.All() {
		key.attributes = attributes(p.Attributes())
		all[key] = p.DoubleValue()
	}
}

func takeHistogram(all map[sample]float64, key sample, p pmetric.HistogramDataPoint) {
	key.attributes = attributes(p.Attributes())
	cumulative := uint64(0)
	for i, n := range p.BucketCounts().All() {
		cumulative += n
		key.what = "le +Inf"
		if i < p.ExplicitBounds().Len() {
			key.what = bucketName(p.ExplicitBounds().At(i))
		}
		all[key] = float64(cumulative)
	}
	key.what = "sum"
	all[key] = p.Sum()
	key.what = "count"
	all[key] = float64(p.Count())
}

// TestAgainstReference plays random pages, with families that come and go in changing order, against the reference.
func TestAgainstReference(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		openMetrics := seed%3 == 2
		b := newBook(t)
		// What the engine exposes is settled when it starts, as in life: a family that says more than another does not come and go.
		engine := randomEngines()[seed%uint64(len(randomEngines()))]
		families := engine.pick(rng)
		for i := range 10 {
			page := engine.page(rng, families, openMetrics)
			md, _, err := b.Scrape(body(page), openMetrics, start().Add(time.Duration(i)*time.Second), "")
			require.NoError(t, err)
			want := reference(t, b.set.Dialects, body(page), openMetrics)
			require.NotEmpty(t, want)
			if got := samples(md); !maps.Equal(want, got) { // Equal is slow at large maps
				require.Equal(t, want, got, "seed %d, page %d:\n%s", seed, i, page)
			}
		}
	}
}
