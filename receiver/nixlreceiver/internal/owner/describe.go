package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
)

// Bounds of what is read of one process.
const (
	maxFileBytes  = 1 << 20
	maxValueBytes = 256
)

// localRank is the variable in which launchers give a process its number on the host.
const localRank = "LOCAL_RANK"

// allowed says which variables of an environment are looked at. The rest may hold secrets and is not kept.
func allowed(name string) bool {
	switch name {
	case "UCX_TLS", "UCX_NET_DEVICES", "UCX_MAX_RMA_RAILS", "UCX_PROTO_INFO", localRank:
		return true
	}
	return strings.HasPrefix(name, "NIXL_")
}

// environment returns the allowed variables that a process was started with, nil when they cannot be read. Where an engine writes a
// title, it writes over its environment (setproctitle, as in vLLM's and SGLang's children), which then begins with zeros and has lost
// some or all: its parents of the same engine had the same.
func (f *Finder) environment(p hostproc.Process, engine string) map[string]string {
	for range maxForks {
		raw, err := f.read(p.PID, "environ")
		if err != nil {
			return nil
		}
		first, _, _ := bytes.Cut(raw, []byte{0})
		if len(raw) == 0 || bytes.ContainsRune(first, '=') {
			return variables(raw)
		}
		if p, err = f.host.Process(p.Parent); err != nil || engine == "" || engineOf(f.host.Command(p.PID)) != engine {
			return nil
		}
	}
	return nil
}

// variables keeps the allowed ones of an environment.
func variables(environ []byte) map[string]string {
	kept := make(map[string]string)
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		name, value, ok := strings.Cut(string(entry), "=")
		if ok && allowed(name) {
			kept[name] = strings.ToValidUTF8(value[:min(len(value), maxValueBytes)], "")
		}
	}
	return kept
}

// engineOf tells what runs by the words of the program; what options name, models and paths, says nothing. Dynamo runs other engines,
// so it comes last.
func engineOf(command []string) string {
	words := program(command)
	for _, known := range []struct{ part, engine string }{
		{"vllm", "vllm"}, {"sglang", "sglang"}, {"trtllm", "tensorrt_llm"}, {"tensorrt_llm", "tensorrt_llm"}, {"dynamo", "dynamo"},
	} {
		if slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, known.part) }) {
			return known.engine
		}
	}
	return ""
}

// program returns the words that say what runs, in lower case: the last part of the program's path, which may be a title, and of
// Python the parts of its module or script.
func program(command []string) []string {
	if len(command) == 0 {
		return nil
	}
	words := []string{path.Base(strings.ToLower(command[0]))}
	if !strings.HasPrefix(words[0], "python") {
		return words
	}
	for i, arg := range command[1:] {
		arg = strings.ToLower(arg)
		switch {
		case arg == "-m" && i+2 < len(command):
			return append(words, strings.Split(strings.ToLower(command[i+2]), ".")...)
		case !strings.HasPrefix(arg, "-"):
			return append(words, script(arg)...)
		}
	}
	return words
}

// script returns the parts of a script's path that may name its engine: from the packages on, else the last two.
func script(file string) []string {
	if _, inside, ok := strings.Cut(file, "-packages/"); ok {
		return strings.Split(inside, "/")
	}
	return []string{path.Base(path.Dir(file)), path.Base(file)}
}

// rankOf tells a process's number on its host: from a title such as VLLM::Worker_TP0 or sglang::scheduler_TP1, else from LOCAL_RANK.
// It is "" when neither says.
func rankOf(command []string, environment map[string]string) string {
	title := ""
	if len(command) == 1 {
		title, _, _ = strings.Cut(command[0], " ")
	}
	if at := strings.LastIndex(title, "_TP"); at >= 0 && strings.Contains(title, "::") {
		if digits := leadingDigits(title[at+len("_TP"):]); digits != "" {
			return digits
		}
	}
	if rank := environment[localRank]; rank != "" && leadingDigits(rank) == rank {
		return rank
	}
	return ""
}

// maxRankDigits is more than any host has ranks.
const maxRankDigits = 5

func leadingDigits(s string) string {
	n := 0
	for n < len(s) && n < maxRankDigits && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// Verbs looks for /dev/infiniband/uverbs<n> among the open files of a process.
func (f *Finder) Verbs(pid int) Verbs {
	found, seen := f.host.OpenFile(pid, func(target string) bool { return strings.HasPrefix(target, "/dev/infiniband/uverbs") })
	switch {
	case found:
		return VerbsOpen
	case seen:
		return VerbsClosed
	}
	return VerbsUnknown
}

func (f *Finder) read(pid int, name string) ([]byte, error) {
	file, err := f.proc.Open(strconv.Itoa(pid) + "/" + name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFileBytes))
}
