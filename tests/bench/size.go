package main

import (
	"cmp"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// smallest is what has a row of its own in the table of sizes; the rest is added up.
const smallest = 500_000

// runSize prints what a binary's file is made of, and whose its machine code is. The table of functions is there in a stripped binary, too.
func runSize(out io.Writer, binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%.1f MB, of which", float64(info.Size())/1e6)
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && s.FileSize >= smallest {
			fmt.Fprintf(out, " `%s` %.1f,", s.Name, float64(s.FileSize)/1e6)
		}
	}
	code, err := codeOf(f)
	if err != nil {
		return err
	}
	fmt.Fprint(out, "\n\n| machine code of | MB |\n|---|---|\n")
	var rest uint64
	names := slices.SortedFunc(maps.Keys(code), func(a, b string) int { return cmp.Or(cmp.Compare(code[b], code[a]), cmp.Compare(a, b)) })
	for _, name := range names {
		if code[name] < smallest && !strings.HasPrefix(name, ours) {
			rest += code[name]
			continue
		}
		fmt.Fprintf(out, "| `%s` | %.2f |\n", name, float64(code[name])/1e6)
	}
	fmt.Fprintf(out, "| all others | %.2f |\n", float64(rest)/1e6)
	return nil
}

// codeOf adds up the code of functions by owner.
func codeOf(f *elf.File) (map[string]uint64, error) {
	section, text := f.Section(".gopclntab"), f.Section(".text")
	if section == nil || text == nil {
		return nil, fmt.Errorf("the binary must have .gopclntab and .text")
	}
	table, err := section.Data()
	if err != nil {
		return nil, err
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(table, text.Addr))
	if err != nil {
		return nil, err
	}
	code := make(map[string]uint64)
	for _, fn := range symbols.Funcs {
		if fn.End > fn.Entry {
			code[owner(fn.PackageName())] += fn.End - fn.Entry
		}
	}
	return code, nil
}

const ours = "github.com/otelcol-inference/otelcol-inference/"

// owner is the component of a package of ours, the module of another's as far as its path tells, and "Go" for the standard library.
func owner(pkg string) string {
	parts := strings.Split(pkg, "/")
	switch {
	case strings.HasPrefix(pkg, ours):
		return strings.Join(parts[:min(len(parts), 5)], "/")
	case strings.HasPrefix(pkg, "github.com/open-telemetry/opentelemetry-collector-contrib/"):
		return strings.Join(parts[:min(len(parts), 5)], "/")
	case !strings.Contains(parts[0], "."):
		return "Go"
	case parts[0] == "github.com":
		return strings.Join(parts[:min(len(parts), 3)], "/")
	}
	return strings.Join(parts[:min(len(parts), 2)], "/")
}
