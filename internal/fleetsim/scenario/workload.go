package scenario

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// workload is one of several kinds of traffic; exactly one key is given, or none for the conversation traffic.
type workload struct {
	Synthetic  *synthetic       `yaml:"synthetic"`
	Custom     *fleetsim.Custom `yaml:"custom"`
	Trace      *trace           `yaml:"trace"`
	ClosedLoop *closedLoop      `yaml:"closed_loop"`
	Bursts     *bursts          `yaml:"bursts"`
	Mix        []workload       `yaml:"mix"`
}

// synthetic is traffic with the distributions of a published trace. The load is per worker, those of all roles counted.
type synthetic struct {
	Shape              string  `yaml:"shape"`
	Load               float64 `yaml:"load_per_worker"`
	SharedPrefixShare  float64 `yaml:"shared_prefix_share"`
	SharedPrefixes     int     `yaml:"shared_prefixes"`
	SharedPrefixTokens int     `yaml:"shared_prefix_tokens"`
}

type trace struct {
	Path   string               `yaml:"path"` // relative to the scenario's file
	Format fleetsim.TraceFormat `yaml:"format"`
	Load   float64              `yaml:"load"` // over the whole fleet; 1 is as recorded
	Loop   bool                 `yaml:"loop"`
}

type closedLoop struct {
	Concurrency  int     `yaml:"concurrency"`
	PromptTokens int     `yaml:"prompt_tokens"`
	OutputTokens int     `yaml:"output_tokens"`
	Spread       float64 `yaml:"spread"`
}

type bursts struct {
	Of    workload      `yaml:"of"`
	Every time.Duration `yaml:"every"`
	For   time.Duration `yaml:"for"`
}

// build makes the fleet's workload; path is where it stands in the file, dir where relative paths start.
func (w *workload) build(path, dir string, workers int) (fleetsim.Workload, error) {
	var kinds []string
	var out fleetsim.Workload
	if w.Synthetic != nil {
		kinds = append(kinds, "synthetic")
		if !(w.Synthetic.Load >= 0) {
			return nil, fmt.Errorf("%s.synthetic.load_per_worker: must be above 0, or 0 for 1, is %g", path, w.Synthetic.Load)
		}
		out = w.Synthetic.build(workers)
	}
	if w.Custom != nil {
		kinds = append(kinds, "custom")
		if w.Custom.CV == 0 {
			w.Custom.CV = 1
		}
		out = *w.Custom
	}
	if w.Trace != nil {
		kinds = append(kinds, "trace")
		out = w.Trace.build(dir)
	}
	if w.ClosedLoop != nil {
		kinds = append(kinds, "closed_loop")
		out = fleetsim.ClosedLoop(*w.ClosedLoop)
	}
	var err error
	if w.Bursts != nil {
		kinds = append(kinds, "bursts")
		var inner fleetsim.Workload
		inner, err = w.Bursts.Of.build(path+".bursts.of", dir, workers)
		out = fleetsim.Bursts{Of: inner, Every: w.Bursts.Every, For: w.Bursts.For}
	}
	if w.Mix != nil {
		kinds = append(kinds, "mix")
		var mix fleetsim.Mix
		for i := range w.Mix {
			part, e := w.Mix[i].build(fmt.Sprintf("%s.mix[%d]", path, i), dir, workers)
			if e != nil {
				err = e
			}
			mix = append(mix, part)
		}
		out = mix
	}
	switch {
	case err != nil:
		return nil, err
	case len(kinds) == 0:
		return (&synthetic{}).build(workers), nil
	case len(kinds) > 1:
		return nil, fmt.Errorf("%s: must have one kind of traffic, has %s", path, strings.Join(kinds, ", "))
	}
	return out, nil
}

func (s *synthetic) build(workers int) fleetsim.Workload {
	x := fleetsim.Synthetic{
		Shape: s.Shape, Load: s.Load, SharedPrefixShare: s.SharedPrefixShare, SharedPrefixes: s.SharedPrefixes,
		SharedPrefixTokens: s.SharedPrefixTokens,
	}
	if x.Shape == "" {
		x.Shape = "azure-conversation"
	}
	if x.Load == 0 {
		x.Load = 1
	}
	x.Load *= float64(workers)
	return x
}

func (t *trace) build(dir string) fleetsim.Workload {
	x := fleetsim.Trace{Path: t.Path, Format: t.Format, Load: t.Load, Loop: t.Loop}
	if !filepath.IsAbs(x.Path) {
		x.Path = filepath.Join(dir, x.Path)
	}
	if x.Load == 0 {
		x.Load = 1
	}
	return x
}
