package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// Bounds of what is read of one process.
const (
	maxFileBytes  = 1 << 20
	maxValueBytes = 256
	maxFiles      = 1 << 16
)

// allowed says which variables of an environment are looked at. The rest may hold secrets and is not kept.
func allowed(name string) bool {
	switch name {
	case "UCX_TLS", "UCX_NET_DEVICES", "UCX_MAX_RMA_RAILS", "UCX_PROTO_INFO":
		return true
	}
	return strings.HasPrefix(name, "NIXL_")
}

func (f *Finder) environment(pid int) map[string]string {
	raw, err := f.read(pid, "environ")
	if err != nil {
		return nil
	}
	kept := make(map[string]string)
	for entry := range bytes.SplitSeq(raw, []byte{0}) {
		name, value, ok := strings.Cut(string(entry), "=")
		if ok && allowed(name) {
			kept[name] = strings.ToValidUTF8(value[:min(len(value), maxValueBytes)], "")
		}
	}
	return kept
}

// engine tells what runs from the command line, which engines overwrite with a title such as VLLM::Worker_TP0.
func (f *Finder) engine(pid int) string {
	raw, err := f.read(pid, "cmdline")
	if err != nil {
		return ""
	}
	line := strings.ToLower(string(raw))
	for _, known := range []struct{ part, engine string }{
		{"vllm", "vllm"}, {"sglang", "sglang"}, {"trtllm", "tensorrt_llm"}, {"tensorrt_llm", "tensorrt_llm"}, {"dynamo", "dynamo"},
	} {
		if strings.Contains(line, known.part) {
			return known.engine
		}
	}
	return ""
}

// verbs looks for /dev/infiniband/uverbs<n> among the open files.
func (f *Finder) verbs(pid int) Verbs {
	dir := strconv.Itoa(pid) + "/fd"
	d, err := f.proc.Open(dir)
	if err != nil {
		return VerbsUnknown
	}
	defer d.Close()
	list, ok := d.(fs.ReadDirFile)
	if !ok {
		return VerbsUnknown
	}
	entries, err := list.ReadDir(maxFiles)
	if err != nil && len(entries) == 0 && !errors.Is(err, io.EOF) {
		return VerbsUnknown
	}
	for _, e := range entries {
		if target, err := fs.ReadLink(f.proc, dir+"/"+e.Name()); err == nil && strings.HasPrefix(target, "/dev/infiniband/uverbs") {
			return VerbsOpen
		}
	}
	return VerbsClosed
}

func (f *Finder) read(pid int, name string) ([]byte, error) {
	file, err := f.proc.Open(strconv.Itoa(pid) + "/" + name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFileBytes))
}
