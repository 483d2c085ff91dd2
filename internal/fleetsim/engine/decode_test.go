package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestVLLMPagesAreDecodedWhole: nothing on a page of any release is unknown to the decoder, broken or dropped, and the release's
// generation is recognised.
func TestVLLMPagesAreDecodedWhole(t *testing.T) {
	for release, variant := range map[string]string{
		"0.6.4": dialect.VariantV0, "0.8.5": dialect.VariantV0, "0.9.2": dialect.VariantV1, "0.10.0": dialect.VariantV1,
		"0.11.0": dialect.VariantV1, "0.16.0": dialect.VariantV1, "0.32.0": dialect.VariantV1,
		"0.27.0 rust": dialect.VariantRust, "0.32.0 rust": dialect.VariantRust, "0.32.0 servers": dialect.VariantV1,
	} {
		t.Run(release, func(t *testing.T) {
			f := everything()
			var how string
			f.Version, how, _ = strings.Cut(release, " ")
			switch how {
			case "rust":
				f.FrontEnd = how
			case "servers":
				f.APIServers = 2
			}
			b := newBook(t, NameVLLM, f)
			feed(b)
			decode(t, b, variant)
		})
	}
}

func decode(t *testing.T, b Book, variant string) {
	t.Helper()
	dialects, err := dialect.Load()
	if err != nil {
		t.Fatal(err)
	}
	book := exposition.NewBook(exposition.Settings{Dialects: dialects, Identity: exposition.Identity{Address: "127.0.0.1", Port: 1}, MaxSeries: 20_000})
	open := strings.HasPrefix(b.ContentType(), "application/openmetrics-text")
	body := append(make([]byte, 0, 1<<18), pageOf(t, b)...)
	metrics, report, err := book.Scrape(body, open, time.Unix(1732500100, 0), "")
	if err != nil {
		t.Fatal(err)
	}
	if report.BrokenLines+report.RejectedBad+report.RejectedLong+report.NotNumbers+report.BadHistograms+report.ShortPoints > 0 || len(report.Drift) > 0 {
		t.Errorf("report: %+v", report)
	}
	if book.Engine() != dialect.EngineVLLM {
		t.Errorf("engine: got %q", book.Engine())
	}
	generated, said := -1.0, ""
	for _, rm := range metrics.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch m.Name() {
			case signal.TokensGenerated:
				generated = float64(m.Sum().DataPoints().At(0).IntValue()) + m.Sum().DataPoints().At(0).DoubleValue()
			case signal.EngineInfo:
				v, _ := m.Gauge().DataPoints().At(0).Attributes().Get(signal.AttrEngineVariant)
				said = v.Str()
			}
		}
	}
	if generated != fedGenerated || said != variant {
		t.Errorf("got %g tokens generated and variant %q, want %d and %q", generated, said, fedGenerated, variant)
	}
}
