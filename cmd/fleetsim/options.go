package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// options is the command line.
type options struct {
	listen, control string
	allowRemote     bool
	speed           float64
	duration        time.Duration
	ledger          string
	requests        string

	fleet   fleetsim.Config
	load    float64
	shape   string
	prefix  fleetsim.Synthetic // the shared-prefix part
	trace   string
	format  string
	loop    bool
	router  string
	noCache bool
}

// parseOptions reads the arguments; usage and errors of the flags go to stderr.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{fleet: fleetsim.DefaultConfig()}
	pool := &o.fleet.Pools[0]
	fs := flag.NewFlagSet("fleetsim", flag.ContinueOnError)
	fs.SetOutput(stderr)

	fs.IntVar(&pool.Workers, "workers", 4, "number of workers")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:18000", "address of the first worker; worker i listens on port + i, port 0 takes free ports")
	fs.StringVar(&o.control, "control", "127.0.0.1:17999", "address of the control server: GET /truth, /healthz")
	fs.BoolVar(&o.allowRemote, "allow-remote", false, "allow listening on addresses that are not loopback")

	fs.StringVar(&pool.Model, "model", pool.Model, "model: llama-3-8b or llama-3-70b")
	fs.StringVar(&pool.GPU, "gpu", pool.GPU, "GPU: a100, h100 or h200")
	fs.IntVar(&pool.TensorParallel, "tp", pool.TensorParallel, "GPUs per worker (tensor parallel): 1, 2, 4 or 8")
	fs.StringVar(&pool.Precision, "precision", pool.Precision, "precision of the weights: bf16 or fp8")
	fs.StringVar(&pool.Stack, "stack", pool.Stack, "overheads of the serving software: vllm or eager-2023")
	fs.IntVar(&pool.MaxBatchedTokens, "budget", pool.MaxBatchedTokens, "token budget of a step (max_num_batched_tokens)")
	fs.IntVar(&pool.MaxNumSeqs, "max-num-seqs", pool.MaxNumSeqs, "most sequences in a step")
	fs.IntVar(&pool.MaxModelTokens, "max-model-len", 0, "longest context in tokens; 0: what the model allows")
	fs.IntVar(&pool.KVBlocks, "kv-blocks", 0, "KV blocks of 16 tokens per worker; 0: what the GPU memory leaves")
	fs.BoolVar(&o.noCache, "no-prefix-caching", false, "switch the prefix cache off")
	fs.StringVar(&o.router, "router", string(o.fleet.Router), "round_robin or least_loaded")

	fs.Float64Var(&o.load, "load", 1, "arrival-rate multiplier per worker: 1 gives each worker the rate of the workload")
	fs.StringVar(&o.shape, "workload", "azure-conversation", "synthetic traffic: azure-conversation or azure-code")
	fs.Float64Var(&o.prefix.SharedPrefixShare, "shared-prefix-share", 0.3, "share of synthetic requests with a shared system prompt, 0 to 1")
	fs.IntVar(&o.prefix.SharedPrefixes, "shared-prefixes", 8, "number of different system prompts")
	fs.IntVar(&o.prefix.SharedPrefixTokens, "shared-prefix-tokens", 512, "length of a system prompt in tokens")
	fs.StringVar(&o.trace, "trace", "", "replay this trace instead of synthetic traffic (.csv or .jsonl, also .gz or .zst)")
	fs.StringVar(&o.format, "trace-format", string(fleetsim.AutoFormat), "auto, azure or mooncake")
	fs.BoolVar(&o.loop, "loop", false, "start the trace over when it ends; without it the program ends with the trace")

	fs.Uint64Var(&o.fleet.Seed, "seed", o.fleet.Seed, "seed of everything random")
	fs.Float64Var(&o.speed, "speed", 1, "simulated seconds per second; 0: as fast as possible")
	fs.DurationVar(&o.duration, "duration", 0, "simulated time after which to stop; 0: never")
	fs.StringVar(&o.ledger, "ledger", "", "file for the truth as JSON, written at exit")
	fs.StringVar(&o.requests, "requests", "", "file for one JSON line per finished request")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, o.complete()
}

// complete checks what is not the fleet's to check and assembles its configuration.
func (o *options) complete() error {
	if !(o.speed >= 0) {
		return fmt.Errorf("speed: must be at least 0, is %g", o.speed)
	}
	if o.duration < 0 {
		return fmt.Errorf("duration: must be at least 0s, is %s", o.duration)
	}
	if !(o.load > 0) {
		return fmt.Errorf("load: must be above 0, is %g", o.load)
	}
	if o.speed == 0 && o.duration == 0 && (o.trace == "" || o.loop) {
		return errors.New("speed: 0 (as fast as possible) needs a duration or a trace that ends")
	}
	err := errors.Join(checkAddress("listen", o.listen, o.allowRemote), checkAddress("control", o.control, o.allowRemote))
	if err != nil {
		return err
	}
	o.fleet.Router = fleetsim.Router(o.router)
	o.fleet.Pools[0].PrefixCaching = !o.noCache
	load := o.load * float64(o.fleet.Pools[0].Workers)
	if o.trace != "" {
		o.fleet.Workload = fleetsim.Trace{Path: o.trace, Format: fleetsim.TraceFormat(o.format), Load: load, Loop: o.loop}
		return nil
	}
	o.prefix.Shape, o.prefix.Load = o.shape, load
	o.fleet.Workload = o.prefix
	return nil
}

// checkAddress refuses addresses that others can reach, unless asked for: the pages have no authentication.
func checkAddress(key, address string, allowRemote bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: must be host:port, is %q", key, address)
	}
	ip := net.ParseIP(host)
	if allowRemote || host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s: must be a loopback address unless --allow-remote is set, is %q", key, address)
}

// workerAddress is the address of worker i: the base port plus i, or a free port when the base is 0.
func (o *options) workerAddress(i int) (string, error) {
	host, text, err := net.SplitHostPort(o.listen)
	if err != nil {
		return "", fmt.Errorf("listen: must be host:port, is %q", o.listen)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port+i > 65535 {
		return "", fmt.Errorf("listen: the port of worker %d must be from 0 to 65535, the base is %q", i, text)
	}
	if port > 0 {
		port += i
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}
