// Command streampub publishes random KV cache events or forward passes with gaps in them, for clients of other libraries to receive.
// It prints one JSON line with its endpoints, waits for a subscriber, publishes, and prints one line with what it published. Then it
// obeys lines on standard input: "restart" publishes anew as after a restart, and the end of input ends it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// subscriberTimeout bounds the wait for a subscriber.
const subscriberTimeout = 30 * time.Second

type publisher interface {
	Endpoint() string
	Subscribers() int
	Faults() *stream.Faults
	Restart()
	Stats() stream.Stats
	Close() error
}

type options struct {
	what     string
	messages int
	drop     int
	seed     uint64
	endpoint string
	kv       stream.KVOptions
	pass     stream.PassOptions
}

func main() {
	if err := run(parse()); err != nil {
		fmt.Fprintln(os.Stderr, "streampub:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.what, "what", "kv", "kv or pass")
	flag.IntVar(&o.messages, "messages", 500, "how many messages")
	flag.IntVar(&o.drop, "drop", 0, "drop this many in the middle")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the content")
	flag.StringVar(&o.endpoint, "endpoint", "tcp://127.0.0.1:0", "where to publish")
	flag.StringVar(&o.kv.Topic, "topic", "", "topic of KV events")
	flag.IntVar((*int)(&o.kv.Wire.Dialect), "dialect", 0, "KV events: 0 vLLM, 1 SGLang, 2 TensorRT-LLM")
	flag.IntVar((*int)(&o.kv.Wire.Form), "form", 0, "KV events: 0 map, 1 array, 2 map of maps")
	flag.IntVar((*int)(&o.kv.Wire.Hashes), "hashes", 0, "KV events: 0 native, 1 unsigned, 2 signed, 3 bytes")
	flag.IntVar(&o.kv.Wire.Fields, "fields", 0, "KV events: fields of an array, 0 for all")
	flag.BoolVar(&o.kv.Wire.NoRank, "no-rank", false, "KV events: batches of two elements")
	flag.BoolVar(&o.kv.BareReplay, "bare-replay", false, "KV events: replay without topic")
	flag.IntVar((*int)(&o.pass.Dialect), "passes", 0, "forward passes: 0 Dynamo, 1 vLLM, 2 SGLang")
	flag.BoolVar(&o.pass.Positional, "positional", false, "forward passes as arrays")
	flag.Parse()
	return o
}

func run(o options) (err error) {
	p, publish, err := open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	replay := ""
	if kv, ok := p.(*stream.KVPublisher); ok {
		replay = kv.ReplayEndpoint()
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]string{"endpoint": p.Endpoint(), "replay_endpoint": replay}); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(o.seed, 0))
	round := func() error {
		if err := awaitSubscriber(p); err != nil {
			return err
		}
		before, t := p.Stats().Dropped, totals{}
		for n := range o.messages {
			if n == o.messages/2 {
				p.Faults().DropNext(o.drop)
			}
			publish(&t, rng)
		}
		t.Dropped = p.Stats().Dropped - before
		return out.Encode(t)
	}
	if err := round(); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() != "restart" {
			return fmt.Errorf("input: must be restart, got %q", lines.Text())
		}
		p.Restart()
		if err := round(); err != nil {
			return err
		}
	}
	return lines.Err()
}

func open(o options) (publisher, func(*totals, *rand.Rand), error) {
	switch o.what {
	case "kv":
		o.kv.Endpoint, o.kv.ReplayEndpoint = o.endpoint, "tcp://127.0.0.1:0"
		p, err := stream.NewKVPublisher(o.kv)
		return p, func(t *totals, rng *rand.Rand) {
			b := randomBatch(rng)
			t.addBatch(b)
			p.Publish(b)
		}, err
	case "pass":
		o.pass.Endpoint, o.pass.Worker, o.pass.Heartbeat = o.endpoint, "worker-1", -1
		p, err := stream.NewPassPublisher(o.pass)
		return p, func(t *totals, rng *rand.Rand) {
			pass := randomPass(rng)
			t.addPass(pass)
			p.Publish(pass)
		}, err
	}
	return nil, nil, fmt.Errorf("what: must be kv or pass, got %q", o.what)
}

func awaitSubscriber(p publisher) error {
	for end := time.Now().Add(subscriberTimeout); p.Subscribers() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("no subscriber on %s within %v", p.Endpoint(), subscriberTimeout)
		}
	}
	return nil
}
