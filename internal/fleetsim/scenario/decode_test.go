package scenario

import (
	"strings"
	"testing"
	"time"
)

type sample struct {
	Name  string        `yaml:"name"`
	Wait  time.Duration `yaml:"wait"`
	Pools []struct {
		Workers int     `yaml:"workers"`
		Speed   float64 `yaml:"speed"`
	} `yaml:"pools"`
}

func TestDecodeErrorsNamePathAndValue(t *testing.T) {
	for text, want := range map[string]string{
		"pools: [{workers: 2}, {workers: many}]": `pools[1].workers: must be a whole number, is "many"`,
		"pools: [{speed: [1]}]":                  `pools[0].speed: must be a number, is [1]`,
		"wait: soon":                             `wait: must be a duration such as 500ms, is "soon"`,
		"wait: 3":                                `wait: must be a duration such as 500ms, is 3`,
		"pools: [{worker: 2}]":                   "pools[0]: unknown keys: worker",
		"nme: x":                                 "unknown keys: nme",
		"pools: 3":                               "pools: must be a list, is 3",
		"name: [x]":                              `name: must be text, is ["x"]`,
	} {
		tree, err := parseTree([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err = decodeTree(tree, &sample{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %q, want %s", text, err, want)
		}
	}
}

func TestSetReachesEveryPlace(t *testing.T) {
	tree, err := parseTree([]byte("pools: [{workers: 2}, {workers: 3}]"))
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"pools[1].workers": "7", "pools.0.speed": "0.5", "name": "a", "links.delay": "{x: 1}"} {
		if err := set(tree, path, text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got, want := compact(tree), `{"links":{"delay":{"x":1}},"name":"a","pools":[{"speed":0.5,"workers":2},{"workers":7}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for path, want := range map[string]string{
		"pools[2].workers": `pools[2].workers: "2" must be an index from 0 to 1`,
		"pools.x":          `pools.x: "x" must be an index from 0 to 1`,
		"name.x":           `name.x: there is a plain value above "x"`,
		"":                 `path: must name a key, is ""`,
	} {
		if err := set(tree, path, "1"); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
