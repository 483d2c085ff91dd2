package ucxlog // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/ucxlog"

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Bounds of what is read and kept.
const (
	maxFiles     = 64
	maxReadBytes = 1 << 20 // of one file at a time, and of what a file holds when it is first seen; what is before is skipped
	maxLineBytes = 4 << 10
)

// Tail reads what is new in the files that match globs. Only the tables are looked at, and nothing of a log is kept.
type Tail struct {
	globs []string
	files map[string]*followed
	buf   []byte
}

// followed is one file.
type followed struct {
	info   os.FileInfo
	offset int64
	parser *Parser
}

// NewTail returns a tail. A file that it sees for the first time is read from at most 1 MiB before its end.
func NewTail(globs []string) *Tail {
	return &Tail{globs: globs, files: make(map[string]*followed), buf: make([]byte, maxReadBytes)}
}

// Read returns the choices in what is new. An error is of one file or glob; the others are read nevertheless.
func (t *Tail) Read() (choices []Choice, err error) {
	paths, err := t.match()
	for path := range t.files {
		if !slices.Contains(paths, path) {
			delete(t.files, path)
		}
	}
	for _, path := range paths {
		found, failed := t.readFile(path)
		choices = append(choices, found...)
		if failed != nil && !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("engine log: %w", failed))
		}
	}
	return choices, err
}

// Follows says whether a log was there at the last Read.
func (t *Tail) Follows(path string) bool { return t.files[path] != nil }

func (t *Tail) match() (paths []string, err error) {
	for _, glob := range t.globs {
		found, failed := filepath.Glob(glob)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("engine_logs: %q: %w", glob, failed))
		}
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return paths[:min(len(paths), maxFiles)], err
}

func (t *Tail) readFile(path string) (choices []Choice, err error) {
	info, err := os.Stat(path) // a log may be behind a link
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	f := t.files[path]
	if f == nil || !os.SameFile(f.info, info) || info.Size() < f.offset {
		f = &followed{parser: NewParser(), offset: max(0, info.Size()-maxReadBytes)}
		t.files[path] = f
	}
	f.info = info
	if info.Size() == f.offset {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f.offset = max(f.offset, info.Size()-maxReadBytes)
	n, err := file.ReadAt(t.buf, f.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	whole := bytes.LastIndexByte(t.buf[:n], '\n') + 1
	if whole == 0 && n > maxLineBytes {
		whole = n // an endless line
	}
	f.offset += int64(whole)
	for line := range bytes.Lines(t.buf[:whole]) {
		if len(line) > maxLineBytes {
			continue
		}
		if c, ok := f.parser.Line(string(bytes.TrimRight(line, "\r\n"))); ok {
			c.Log = path
			if c.Time.IsZero() {
				c.Time = info.ModTime()
			}
			choices = append(choices, c)
		}
	}
	return choices, nil
}
