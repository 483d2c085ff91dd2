package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"
)

// parseTree reads YAML text into plain maps, lists and scalars.
func parseTree(text []byte) (map[string]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root any
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if root == nil {
		return nil, errors.New("there is nothing in it")
	}
	tree, ok := root.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("must be a map of keys, is %s", compact(root))
	}
	if err := decoder.Decode(&root); !errors.Is(err, io.EOF) {
		return nil, errors.New("must be one document, there is more behind it")
	}
	return tree, nil
}

// decodeTree fills target, a pointer to a struct, from a tree. Unknown keys are errors. Every error names path and value.
func decodeTree(tree map[string]any, target any) error {
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:          target,
		TagName:         "yaml",
		SquashTagOption: "inline",
		ErrorUnused:     true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			onlyTextIsDuration, onlyWholeIsWhole,
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.TextUnmarshallerHookFunc(),
		),
	})
	if err != nil {
		return err
	}
	return explain(tree, reflect.TypeOf(target).Elem(), decoder.Decode(tree))
}

// onlyTextIsDuration refuses bare numbers, which would be nanoseconds.
func onlyTextIsDuration(from, to reflect.Type, data any) (any, error) {
	if to == reflect.TypeFor[time.Duration]() && from.Kind() != reflect.String && from != to {
		return nil, errDuration
	}
	return data, nil
}

// onlyWholeIsWhole refuses numbers with a fraction, and those too large to be whole, where whole ones are asked for.
func onlyWholeIsWhole(from, to reflect.Type, data any) (any, error) {
	if from.Kind() == reflect.Float64 && to.Kind() >= reflect.Int && to.Kind() <= reflect.Uintptr && to != reflect.TypeFor[time.Duration]() {
		return nil, errWhole
	}
	return data, nil
}

var errWhole = errors.New("must be a whole number")

var errDuration = errors.New("must be a duration such as 500ms")

// explain turns the decoder's errors into one line each, with the value found there.
func explain(tree map[string]any, target reflect.Type, err error) error {
	if err == nil {
		return nil
	}
	root := target.String() // what the decoder calls the whole
	var list []error
	walkErrors(err, func(e *mapstructure.DecodeError) {
		why := reason(e.Unwrap())
		if strings.HasPrefix(why, unknownKeys) {
			why += knownKeys(target, strings.TrimPrefix(e.Name(), root))
		}
		if value, ok := at(tree, e.Name()); ok && !strings.HasPrefix(why, unknownKeys) {
			why += fmt.Sprintf(", is %s", compact(value))
		}
		if e.Name() == "" || e.Name() == root {
			list = append(list, errors.New(why))
			return
		}
		list = append(list, fmt.Errorf("%s: %s", e.Name(), why))
	})
	if len(list) == 0 {
		return err
	}
	return errors.Join(list...)
}

// walkErrors calls found for every decode error in a tree of joined and wrapped errors.
func walkErrors(err error, found func(*mapstructure.DecodeError)) {
	switch e := err.(type) { //nolint:errorlint // the tree itself is walked
	case *mapstructure.DecodeError:
		found(e)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			walkErrors(inner, found)
		}
	case interface{ Unwrap() error }:
		walkErrors(e.Unwrap(), found)
	}
}

// knownKeys lists what may stand at a path of the target.
func knownKeys(t reflect.Type, path string) string {
	for _, step := range split(path) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return ""
		}
		for i := range t.NumField() {
			if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key == step {
				t = t.Field(i).Type
				break
			}
		}
	}
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if keys := keysOf(t); len(keys) > 0 {
		return "; known: " + strings.Join(keys, ", ")
	}
	return ""
}

// keysOf lists the keys of a struct, those of inlined ones among them.
func keysOf(t reflect.Type) (keys []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		key, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if option == "inline" {
			keys = append(keys, keysOf(t.Field(i).Type)...)
		} else if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

const unknownKeys = "unknown keys: "

// reason words the cause of one decode error, without the value.
func reason(err error) string {
	var parse *mapstructure.ParseError
	var kind *mapstructure.UnconvertibleTypeError
	switch {
	case errors.Is(err, errWhole):
		return errWhole.Error()
	case errors.Is(err, errDuration) || strings.HasPrefix(err.Error(), "time: "):
		return errDuration.Error()
	case errors.As(err, &parse):
		return "must be " + typeName(parse.Expected.Type())
	case errors.As(err, &kind):
		return "must be " + typeName(kind.Expected.Type())
	}
	if keys, ok := strings.CutPrefix(err.Error(), "has invalid keys: "); ok {
		return unknownKeys + keys
	}
	if strings.HasPrefix(err.Error(), "source data must be an array or slice") {
		return "must be a list"
	}
	return err.Error()
}

// typeName says what a person would write there.
func typeName(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr:
		return "a whole number"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Map || t.Kind() == reflect.Struct:
		return "a map"
	case t.Kind() == reflect.String:
		return "text"
	}
	return "of type " + t.String()
}

// compact writes a value on one line.
func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(b)
}

// split cuts a path such as "pools[0].workers" or "pools.0.workers" into its steps.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// at finds the value at a path.
func at(node any, path string) (any, bool) {
	for _, step := range split(path) {
		switch n := node.(type) {
		case map[string]any:
			child, ok := n[step]
			if !ok {
				return nil, false
			}
			node = child
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n) {
				return nil, false
			}
			node = n[i]
		default:
			return nil, false
		}
	}
	return node, path != ""
}

// set puts a value, given as YAML text, at a path such as "pools[0].workers" or "pools.0.workers". Maps on the way are made;
// lists are not.
func set(tree map[string]any, path, text string) error {
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("%s: %w in %q", path, err, text)
	}
	if value == nil {
		return fmt.Errorf("%s: must have a value", path)
	}
	return put(tree, path, value)
}

// put stores a value at a path.
func put(tree map[string]any, path string, value any) error {
	steps := split(path)
	if len(steps) == 0 {
		return fmt.Errorf("path: must name a key, is %q", path)
	}
	_, err := putAt(tree, steps, path, value)
	return err
}

// putAt returns node with the value stored below it.
func putAt(node any, steps []string, path string, value any) (any, error) {
	if len(steps) == 0 {
		return value, nil
	}
	switch n := node.(type) {
	case nil:
		if steps[0] == "0" {
			return putAt([]any{nil}, steps, path, value)
		}
		return putAt(map[string]any{}, steps, path, value)
	case map[string]any:
		child, err := putAt(n[steps[0]], steps[1:], path, value)
		if err == nil {
			n[steps[0]] = child
		}
		return n, err
	case []any:
		i, err := strconv.Atoi(steps[0])
		if err != nil || i < 0 || i >= len(n) {
			return node, fmt.Errorf("%s: %q must be an index from 0 to %d", path, steps[0], len(n)-1)
		}
		n[i], err = putAt(n[i], steps[1:], path, value)
		return n, err
	}
	return node, fmt.Errorf("%s: there is a plain value above %q", path, steps[0])
}
