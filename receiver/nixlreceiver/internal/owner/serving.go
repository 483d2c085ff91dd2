package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
)

// server is a program that serves an engine's HTTP API, and its metrics with it.
type server struct {
	words  []string // of the program, all of them
	option string   // that names the port
	port   int      // without the option
}

// servers lists the servers that run an engine whose agents NIXL has, by the words of program. The defaults are those of vLLM
// (vllm/entrypoints/openai/cli_args.py), SGLang (sglang/srt/server_args.py) and TensorRT-LLM (tensorrt_llm/commands/serve.py).
func servers() []server {
	return []server{
		{[]string{"vllm", "serve"}, "--port", 8000},
		{[]string{"vllm", "api_server"}, "--port", 8000},
		{[]string{"sglang", "launch_server"}, "--port", 30000},
		{[]string{"sglang", "serve"}, "--port", 30000},
		{[]string{"trtllm-serve"}, "--port", 8000},
	}
}

// servingPort returns the port at which the engine of a process is scraped: that of the nearest among the process and its ancestors
// that serves an engine and listens there. It is 0 where none does, or where the privileges do not suffice to see it.
func (f *Finder) servingPort(p hostproc.Process) int {
	for range maxForks {
		if port := portOf(f.host.Command(p.PID)); port > 0 && f.host.Listens(p.PID, port) {
			return port
		}
		if p.Parent == 0 {
			return 0
		}
		var err error
		if p, err = f.host.Process(p.Parent); err != nil {
			return 0
		}
	}
	return 0
}

// portOf returns the port that a server's command line says, or its default; 0 for another program.
func portOf(command []string) int {
	words := append(program(command), leading(command)...)
	for _, s := range servers() {
		if !s.runs(words) {
			continue
		}
		value, found := option(command, s.option)
		if !found {
			return s.port
		}
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return 0
		}
		return int(port)
	}
	return 0
}

func (s server) runs(words []string) bool {
	for _, want := range s.words {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.TrimSuffix(w, ".py") == want }) {
			return false
		}
	}
	return true
}

// leading returns the arguments before the program's options, of which a subcommand is one; options of Python come before them.
func leading(command []string) (words []string) {
	for i, arg := range command {
		switch {
		case i == 0:
		case !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		case len(words) > 0:
			return words
		}
	}
	return words
}

// option returns the value of an option, in either form.
func option(command []string, name string) (value string, found bool) {
	for i, arg := range command {
		if v, ok := strings.CutPrefix(arg, name+"="); ok {
			return v, true
		}
		if arg == name && i+1 < len(command) {
			return command[i+1], true
		}
	}
	return "", false
}
