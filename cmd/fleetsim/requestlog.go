package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// requestLog writes finished requests as JSON lines; without a path it does nothing.
type requestLog struct {
	file *os.File
	buf  *bufio.Writer
	enc  *json.Encoder
	err  error
}

func openRequestLog(path string) (*requestLog, error) {
	if path == "" {
		return &requestLog{}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	l := &requestLog{file: file, buf: bufio.NewWriter(file)}
	l.enc = json.NewEncoder(l.buf)
	return l, nil
}

func (l *requestLog) write(r fleetsim.RequestTruth) {
	if l.err == nil {
		l.err = l.enc.Encode(r)
	}
}

func (l *requestLog) close() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.err, l.buf.Flush(), l.file.Close())
}
