package main

// best is the prefill groups with the highest goodput and that goodput: a search from a start downhill in both directions, or all of them.
func (s splitScenario) best(start int, exhaustive bool) (prefill int, goodput float64, err error) {
	look := func(x int) error {
		if x < 1 || x >= s.groups {
			return nil
		}
		g, err := s.goodput(s.config(x, splitBudget))
		if err == nil && g > goodput {
			prefill, goodput = x, g
		}
		return err
	}
	if exhaustive {
		for x := 1; x < s.groups; x++ {
			if err := look(x); err != nil {
				return 0, 0, err
			}
		}
		return prefill, goodput, nil
	}
	// Coarse first, then every neighbour for as long as one is better.
	step := max(1, s.groups/6)
	for x := 1; x < s.groups; x += step {
		if err := look(x); err != nil {
			return 0, 0, err
		}
	}
	if err := look(start); err != nil {
		return 0, 0, err
	}
	for before := -1; before != prefill; {
		before = prefill
		for d := -step; d <= step; d++ {
			if err := look(before + d); err != nil {
				return 0, 0, err
			}
		}
	}
	return prefill, goodput, nil
}

// rival is the best split, and its goodput. Where what was chosen serves nearly all that comes, none serves much more, and none is looked for: the goodput
// is then what comes. Fleets of up to eight groups are searched all the same, whole.
func (s splitScenario) rival(o options, chosen int) (prefill int, goodput float64, err error) {
	exhaustive := s.groups <= 8 && !o.quick
	t, err := s.truths.run(s.config(chosen, splitBudget), judgedFor)
	if err != nil || !exhaustive && t.Goodput >= recommendedBar*t.Arrived {
		return chosen, t.Arrived, err
	}
	return s.best(chosen, exhaustive)
}
