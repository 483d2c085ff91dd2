package live

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// lines writes values as JSON lines to a file; without a path it does nothing.
type lines struct {
	file *os.File
	buf  *bufio.Writer
	enc  *json.Encoder
	err  error
}

func openLines(key, path string) (*lines, error) {
	if path == "" {
		return &lines{}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	l := &lines{file: file, buf: bufio.NewWriter(file)}
	l.enc = json.NewEncoder(l.buf)
	return l, nil
}

func (l *lines) on() bool { return l.file != nil }

func (l *lines) write(v any) {
	if l.on() && l.err == nil {
		l.err = l.enc.Encode(v)
	}
}

func (l *lines) close() error {
	if l == nil || !l.on() {
		return nil
	}
	return errors.Join(l.err, l.buf.Flush(), l.file.Close())
}
