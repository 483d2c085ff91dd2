package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// servingRow is one measured serving point of aiconfigurator's silicon tables.
type servingRow struct {
	backend, model, gpu string // names as in the table
	precision           string
	tensorParallel      int
	promptTokens        int
	outputTokens        int
	concurrency         int
	ttft, tpot          float64 // measured means, s
}

// readTable yields the rows of a CSV file, plain or compressed with zstd.
func readTable(path string, each func(map[string]string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".zst") {
		return readCSV(f, path, each)
	}
	d, err := zstd.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer d.Close()
	return readCSV(d, path, each)
}

// readCSV yields rows as maps by column; errors name file and line.
func readCSV(r io.Reader, path string, each func(map[string]string) error) error {
	table := csv.NewReader(r)
	header, err := table.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for {
		fields, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		row := make(map[string]string, len(header))
		for i, name := range header {
			row[name] = fields[i]
		}
		if err := each(row); err != nil {
			line, _ := table.FieldPos(0)
			return fmt.Errorf("%s: line %d: %w", path, line, err)
		}
	}
}

// number reads a column; an empty field is 0.
func number(row map[string]string, column string) (float64, error) {
	if row[column] == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(row[column], 64)
	if err != nil {
		return 0, fmt.Errorf("%s: not a number: %q", column, row[column])
	}
	return v, nil
}

// servingRows reads the aggregated rows of both silicon tables.
func servingRows(paths ...string) ([]servingRow, error) {
	var rows []servingRow
	for _, path := range paths {
		err := readTable(path, func(row map[string]string) error {
			if row["mode"] != "agg" {
				return nil
			}
			values := map[string]float64{}
			for _, column := range []string{"tp_size", "isl", "osl", "batch_size", "silicon_ttft_ms", "silicon_tpot_ms"} {
				v, err := number(row, column)
				if err != nil {
					return err
				}
				values[column] = v
			}
			rows = append(rows, servingRow{
				backend: row["backend"], model: row["model_path"], gpu: strings.TrimSuffix(row["system"], "_sxm"), precision: row["precision"],
				tensorParallel: int(values["tp_size"]), promptTokens: int(values["isl"]), outputTokens: int(values["osl"]),
				concurrency: int(values["batch_size"]), ttft: values["silicon_ttft_ms"] / 1e3, tpot: values["silicon_tpot_ms"] / 1e3,
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}
