// Command accuracy scores the estimators against the simulator's truth. Pages of the simulated engines pass through the real
// decoder and the real processors; what comes out is compared with the ledger. It prints one line per check,
//
//	name value bar pass|FAIL|told
//
// and exits with 1 when a check misses its bar.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// options select and size the checks.
type options struct {
	only  []string       // ids; empty for all
	match *regexp.Regexp // of scenarios, nil for all
	quick bool           // ten simulated minutes, one seed, looser bars
	data  string         // folder of public traces; empty for synthetic traffic
	// seed draws other fleets for A6, A7 and A8; 0 for the published ones.
	seed uint64
	// truths is a file to keep the simulator's runs of fleets in, empty for none.
	truths string
}

// result is one line of the report.
type result struct {
	name  string
	value string
	bar   string
	pass  bool
	told  bool // for information: neither passes nor fails
}

// check is one acceptance test.
type check struct {
	id  string
	run func(options, func(result)) error
}

func checks() []check {
	return []check{
		{"A1", phaseTimeShare},
		{"A2", energyByPhase},
		{"A2-shared", sharedEnergy},
		{"A3", honesty},
		{"A4", baselines},
		{"A5", interference},
		{"A6", recommendation},
		{"A7", gates},
		{"A8", scores},
		{"A9", missRatioCurve},
		{"A10", poolDecomposition},
		{"A10-cases", knownCases}, {"A20-kv", kvAdvice},
		{"A11", evictionStorms},
		{"A12", transfers},
		{"A13", amplification},
		{"A14", fidelity},
		{"A15", robustness},
		{"A16", cost},
		{"A18", side}, {"A18-split", splitSide},
		{"A19", utilizationByPhase},
		{"A20", adviceRules},
		{"A20-disagg", fleetRules},
		{"goodput", goodputBounds},
	}
}

func main() {
	only := flag.String("only", "", "comma-separated ids of the checks to run, all when empty")
	var o options
	flag.BoolVar(&o.quick, "quick", false, "ten simulated minutes, one seed")
	flag.StringVar(&o.data, "data", "", "folder with the public traces; synthetic traffic when empty")
	flag.StringVar(&o.truths, "truths", "", "file to keep the simulator's runs of fleets in")
	flag.Uint64Var(&o.seed, "seed", 0, "draw the fleets of A6, A7 and A8 from this seed; the published one when 0")
	flag.Func("match", "run scenarios whose name matches this regular expression only", func(text string) (err error) {
		o.match, err = regexp.Compile(text)
		return err
	})
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	missed, err := run(o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(2)
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "accuracy: %d missed\n", missed)
		os.Exit(1)
	}
}

// run executes the selected checks and returns how many lines missed their bar. Selecting nothing is an error: a run that
// checks nothing must not look like one that passed.
func run(o options, out io.Writer) (missed int, err error) {
	lines := 0
	for _, c := range checks() {
		if !selected(o.only, c.id) {
			continue
		}
		err := c.run(o, func(r result) {
			verdict := "pass"
			switch {
			case r.told:
				verdict = "told"
			case !r.pass:
				verdict = "FAIL"
				missed++
			}
			lines++
			fmt.Fprintln(out, r.name, r.value, r.bar, verdict)
		})
		if err != nil {
			return missed, fmt.Errorf("%s: %w", c.id, err)
		}
	}
	if lines == 0 {
		return 0, fmt.Errorf("no check is called %s", strings.Join(o.only, ","))
	}
	return missed, nil
}

func selected(only []string, id string) bool {
	if len(only) == 0 {
		return true
	}
	for _, want := range only {
		if want == id {
			return true
		}
	}
	return false
}
